-- Unique keys: a name for the work, of a namespace. `unique` names the job that has the key: the open one, or, for as long
-- as one that was made to be the only one of a time keeps others from being made, that one. Then the key expires.
-- What was said to a caller whose job was not made is kept in `answer`, so that the same is said when it comes again.

-- Until when no other job is made, in the mode `ignore`; nil for a job of another one.
local function alone_until(job)
  if job.unique_mode ~= 'ignore' then return nil end
  return (tonumber(job.created_at or '') or 0) + (tonumber(job.unique_for_seconds or '') or 0) * 1000
end

-- The id that a key names; nil if it names none.
local function id_with_key(namespace, own)
  local found = redis.pcall('GET', key.unique(namespace, own))
  return type(found) == 'string' and found or nil
end

-- The job that has a key at present, and whether it is open; nil if none has it, or if what is there cannot be read.
local function job_with_key(namespace, own, now)
  local id = id_with_key(namespace, own)
  local job = id and load_job(id)
  if not job or job.namespace ~= namespace or job.unique_key ~= own then return nil end
  if not TERMINAL[job.state] then return job, true end
  local free_at = alone_until(job)
  if free_at and free_at > now then return job, false end
  return nil
end

-- A job that ends leaves its key, now or when its time is over.
local function leave_key(job, now)
  local own = job.unique_key
  if not own or id_with_key(job.namespace, own) ~= job.id then return end
  local free_at = alone_until(job)
  if free_at and free_at > now then
    -- The record says when exactly.
    redis.call('PEXPIRE', key.unique(job.namespace, own), free_at - now + LIMIT.slack_ms)
  else
    redis.call('DEL', key.unique(job.namespace, own))
  end
end

-- The record of a job is dropped that has ended.
local function forget_key(job)
  local own = job.unique_key
  if own and id_with_key(job.namespace, own) == job.id then redis.call('DEL', key.unique(job.namespace, own)) end
end
