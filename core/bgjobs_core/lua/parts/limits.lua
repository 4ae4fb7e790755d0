-- Limits of one concurrency key: so many of its jobs hold a slot at once, and so many start in a time. A key that has used
-- up what it may have leaves the turns of its queue, so that claims do not look at it again and again; it lies in
-- `closed` until the time at which it may go on. One that waits for a slot has the time NEVER, and comes back when a job
-- of it leaves its slot. All of them come back when the queue gets other limits (`reopening`).
local NEVER = '9007199254740991' -- as Redis writes it

local function close_key(queue, uid, priority, own, at)
  leave_turns(key.turns(queue, uid, priority), own)
  redis.call('ZADD', key.closed(queue, uid), at, priority .. ':' .. own)
end

-- Gives a key its turns again; the members of `closed` are its priority and the key.
local function open_key(queue, uid, member)
  local priority, own = string.match(member, '^(%d):(.*)$')
  if redis.call('EXISTS', key.lane(queue, uid, priority, own)) == 1 then
    enter_turns(key.turns(queue, uid, priority), own)
  end
end

-- Opens the keys whose time has come, and those of earlier limits, so many at most.
local function open_keys(queue, uid, now, most)
  local closed = key.closed(queue, uid)
  local members = redis.call('ZRANGE', closed, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
  for _, member in ipairs(members) do
    redis.call('ZREM', closed, member)
    open_key(queue, uid, member)
  end
  local popped = redis.call('ZPOPMIN', key.reopening(queue, uid), most)
  for i = 1, #popped, 2 do open_key(queue, uid, popped[i]) end
  return #members + #popped / 2
end

-- All keys of a queue are opened, some with each claim. To rename takes no time, whatever their number.
local function open_all_keys(queue, uid)
  local closed, reopening = key.closed(queue, uid), key.reopening(queue, uid)
  if redis.call('EXISTS', closed) == 0 then return end
  if redis.call('EXISTS', reopening) == 0 then
    redis.call('RENAME', closed, reopening)
  else
    redis.call('ZUNIONSTORE', reopening, 2, reopening, closed)
    redis.call('DEL', closed)
  end
end

-- Forgets the keys at a limit of a queue that is gone, if no job waits under its UID any more: nobody would look at them.
local function forget_keys(queue, uid)
  if redis.call('HEXISTS', key.ready(), home(queue, uid)) == 1 then return end
  redis.call('UNLINK', key.closed(queue, uid), key.reopening(queue, uid))
end

-- Lets a key go on where it is closed: all of it, or only what waits for a slot.
local function open_closed(queue, own, only_for_slot)
  local uid = redis.call('HGET', key.queue(queue), 'uid') or ''
  for priority = 1, 0, -1 do
    local member = priority .. ':' .. own
    local at = redis.call('ZSCORE', key.closed(queue, uid), member)
    if at and (at == NEVER or not only_for_slot) then
      redis.call('ZREM', key.closed(queue, uid), member)
      open_key(queue, uid, member)
    end
  end
end

-- A job of a key has left its slot.
local function slot_of_key_is_free(job)
  local own = job.concurrency_key
  if not own then return end
  redis.call('ZREM', key.owned_by(job.queue, own), job.id)
  open_closed(job.queue, own, true)
end

-- When the next start is allowed by a list of the latest ones, the newest first; nil if it is allowed now.
local function next_start(starts, count, span_ms, now)
  local first = tonumber(redis.call('LINDEX', starts, count - 1) or nil)
  if first and first + span_ms > now then return first + span_ms end
  return nil
end

local function note_start(starts, count, span_ms, now)
  redis.call('LPUSH', starts, text(now))
  redis.call('LTRIM', starts, 0, count - 1)
  redis.call('PEXPIRE', starts, span_ms)
end

-- A claimed job has not started, so that it does not count.
local function forget_start(job)
  redis.call('LREM', key.starts(job.queue), 1, job.claimed_at)
  local own = job.concurrency_key
  if own and redis.call('LREM', key.starts_by(job.queue, own), 1, job.claimed_at) == 1 then
    open_closed(job.queue, own, false)
  end
end
