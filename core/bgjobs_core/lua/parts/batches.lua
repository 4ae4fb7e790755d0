-- Batches: many jobs under one id. `batch` has how many jobs it has had, and how many of them are in each state;
-- `batch_jobs` has the ids of those whose records are kept. `batches` lists the batches of a namespace by their first jobs.
-- A batch is open to more jobs until it is closed, and has ended when it is closed and all of its jobs have ended. Its
-- children are told of that as those of a job are.

-- The namespace of a batch; nil if there is no such batch.
local function namespace_of_batch(id)
  local found = redis.pcall('HGET', key.batch(id), 'namespace')
  return type(found) == 'string' and found or nil
end

-- How a batch has ended: `succeeded`, or `failed` if one of its jobs did not succeed, and then what becomes of a child
-- that is to be cancelled because of that. Nil if it has not ended.
local function end_of_batch(id)
  local found = redis.call('HMGET', key.batch(id),
    'closed_at', 'jobs', STATE.succeeded, STATE.failed, STATE.cancelled)
  local all, succeeded = tonumber(found[2] or '0'), tonumber(found[3] or '0')
  local others = tonumber(found[4] or '0') + tonumber(found[5] or '0')
  if not found[1] or succeeded + others < all then return nil end
  if others == 0 then return STATE.succeeded end
  local words = ', of which ' .. text(others) .. ' of ' .. text(all) .. ' jobs did not succeed.'
  return STATE.failed, {outcome = OUTCOME.cancelled, reason = 'It needs the batch ' .. id .. words}
end

-- Its children are to hear of it if a batch has ended.
local function tell_if_ended(id, namespace, now)
  if not end_of_batch(id) then return end
  redis.call('HSET', key.batch(id), 'ended_at', text(now))
  tell_children({id = id, namespace = namespace})
end

-- Puts a new job into a batch, which begins with its first job.
local function join_batch(id, job_id, namespace, by, now)
  local name = key.batch(id)
  if redis.call('HINCRBY', name, 'jobs', 1) == 1 then
    redis.call('HSET', name, 'namespace', namespace, 'created_by', by, 'created_at', text(now))
    -- A version that knew nothing of this list may have dropped a batch and left its id here: the oldest is looked at.
    local oldest = redis.call('ZRANGE', key.batches(namespace), 0, 0)[1]
    if oldest and redis.call('EXISTS', key.batch(oldest)) == 0 then redis.call('ZREM', key.batches(namespace), oldest) end
    redis.call('ZADD', key.batches(namespace), now, id)
  end
  redis.call('HSET', name, 'latest_at', text(now))
  redis.call('ZADD', key.batch_jobs(id), 0, job_id)
end

-- Counts a job of a batch in its new state, and no longer in the one before.
local function count_in_batch(job, from, to, now)
  local name = key.batch(job.batch)
  if from ~= NEW then redis.call('HINCRBY', name, from, -1) end
  redis.call('HINCRBY', name, to, 1)
  if TERMINAL[to] then tell_if_ended(job.batch, job.namespace, now) end
end

-- The record of a job is dropped, and that of its batch with the last one. What has ended stays counted.
local function leave_batch(id, job_id, namespace)
  redis.call('ZREM', key.batch_jobs(id), job_id)
  if redis.call('EXISTS', key.batch_jobs(id)) == 1 then return end
  drop_from_unblocking(namespace, id)
  redis.call('ZREM', key.batches(namespace), id)
  redis.call('UNLINK', key.batch(id))
end
