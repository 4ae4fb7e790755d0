-- How a record changes. Every script checks everything first. Then it removes the old index entries: a script whose
-- first write removes something still runs when Redis is full. Then it writes.

-- Whether the life cycle has an arrow of this verb from the job's state to another one.
local function may_move(job, to) return ARROWS[job.state .. ' ' .. to] end

-- Whether a KubeJob can have been made for the job: it was claimed once, or Redis may have forgotten that, because it was
-- older than the world when somebody looked. Then Kubernetes knows more than the record does.
local function may_have_kube_job(job) return job.claimed_at or redis.call('EXISTS', key.hold()) == 1 end

-- Its request is to hear how a job is: of an end at once, of anything else together with what changes soon after.
local TELL_MS = 1500

local function tell_request(job, now)
  local dirty = key.dirty(job.namespace)
  local is_sooner
  if TERMINAL[job.state] then
    is_sooner = redis.call('ZADD', dirty, 'LT', 'CH', now, job.id)
  else
    is_sooner = redis.call('ZADD', dirty, 'NX', now + TELL_MS, job.id)
  end
  if is_sooner == 1 then wake('settle') end
end

local function write_job(job, changes, now)
  changes.rev = tonumber(job.rev) + 1
  changes.changed_at = now
  local before = job.rev ~= '0' and cell_of(job)
  for field, value in pairs(changes) do
    if value ~= false then
      job[field] = text(value)
    elseif job[field] ~= nil then
      job[field] = nil
    else
      changes[field] = nil -- what is not there needs no removal
    end
  end
  if before and before ~= cell_of(job) then unshelve(job, before) end
  write_hash(key.job(job.id), changes)
  shelve(job, now)
  count_write()
  if job.request_name then tell_request(job, now) end
end

-- Writes fields of a job without changing its state; a field that is `false` is removed.
local function touch(job, changes, now)
  even_if_full()
  write_job(job, changes, now)
end

-- Takes a job to another state. There is no other way, and a move that the life cycle does not have is an error.
local function move(job, to, changes, now)
  local from = job.state
  if not may_move(job, to) then
    return error('bgjobs: ' .. VERB .. ' may not move a job from ' .. from .. ' to ' .. to)
  end
  even_if_full()
  leave_list(job)
  if from == STATE.launched then leave_suspension(job, changes) end
  if from == STATE.queued then leave_lane(job) end
  if job.hold then
    changes.hold = false
    if changes.reason == nil then changes.reason = false end
  end
  if OWNED[from] and not OWNED[to] then
    redis.call('ZREM', key.owned(job.queue), job.id)
    slot_of_key_is_free(job)
    -- The slot is for whoever waits in the queue of that name, which may be another one by now.
    local uid = redis.call('HGET', key.queue(job.queue), 'uid') or ''
    if redis.call('HEXISTS', key.ready(), home(job.queue, uid)) == 1 then wake('dispatch', job.queue) end
  end
  changes.state = to
  if TERMINAL[to] then changes.finished_at = now end
  write_job(job, changes, now)
  enter_list(job)
  if job.start_by then -- by then it must have a slot
    if WAITING[to] then
      redis.call('ZADD', key.start_by(), job.start_by, job.id)
    else
      redis.call('ZREM', key.start_by(), job.id)
    end
  end
  if to == STATE.queued then enter_lane(job) end
  if OWNED[to] and not OWNED[from] then
    redis.call('ZADD', key.owned(job.queue), now, job.id)
    local own = job.concurrency_key
    if own then redis.call('ZADD', key.owned_by(job.queue, own), now, job.id) end
  end
  if to == STATE.stopping then wake('stop') end
  if TERMINAL[to] then
    -- Of a job that has failed it stays: people want to see how far it came.
    if job.attempt and to ~= STATE.failed then redis.call('DEL', key.checkpoint(job.id)) end
    -- One that keeps others from being made is there as long as it does.
    redis.call('ZADD', key.expiring(job.namespace), math.max(now + job.records_ms, alone_until(job) or 0), job.id)
    leave_key(job, now)
    -- Counted for as long as there is such a queue; what is kept of ended jobs does not tell how many there were.
    if redis.call('EXISTS', key.queue(job.queue)) == 1 then
      redis.call('HINCRBY', key.endings(job.queue), standing(job), 1)
    end
    if redis.call('ZCARD', key.ended(job.namespace)) == 1 then wake('retire') end
    leave_parents(job)
    tell_children(job)
  end
  if job.batch then count_in_batch(job, from, to, now) end
end
