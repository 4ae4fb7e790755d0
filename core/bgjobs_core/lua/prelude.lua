-- What every verb shares. Before this stand, generated: `key` (keys.py), ARROWS and the groups of states
-- (lifecycle.py). Every script: check all, then remove the old index entries (a script whose first write
-- removes something still runs when Redis is full), then write.
--
-- ARGV[1] of every verb is an offset in ms that is added to Redis TIME; 0 but in tests.

local OFFSET = tonumber(ARGV[1])

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + OFFSET
end

local function load_hash(name)
  local flat = redis.call('HGETALL', name)
  if #flat == 0 then return nil end
  local hash = {}
  for i = 1, #flat, 2 do hash[flat[i]] = flat[i + 1] end
  return hash
end

local function load_job(id) return load_hash(key.job(id)) end

local function load_attempt(job)
  if job.attempt == '0' then return nil end
  return load_hash(key.attempt(job.id, job.attempt))
end

-- Numbers here are whole; `tostring` would write 1e+14.
local function text(value)
  if type(value) == 'number' then return string.format('%.0f', value) end
  return tostring(value)
end

-- For a verb that only adds, but must work when Redis is full: once a script has removed (even nothing), it may add.
local function even_if_full() redis.call('ZREM', key.dirty(), '') end

local function write_hash(name, fields)
  local flat = {}
  for field, value in pairs(fields) do
    flat[#flat + 1] = field
    flat[#flat + 1] = text(value)
  end
  redis.call('HSET', name, unpack(flat))
end

local function count(job, what) redis.call('HINCRBY', key.counters(), job.queue .. '|' .. what, 1) end

-- A doorbell for one loop of the leader. It carries nothing that is needed: each loop reads the truth.
local function wake(loop) redis.call('XADD', key.wake(), 'MAXLEN', '~', '100', '*', 'loop', loop) end

-- The index that only this state has: where it lies, and by what it is ordered.
local function state_index(job, state)
  if state == 'queued' then return key.ready(job.queue, job.priority), job.queued_at end
  if state == 'scheduled' then return key.due(), job.not_before end
  if state == 'launching' then return key.launching(), job.claimed_at end
  if state == 'launched' then return key.launched(), job.launched_at end
  if state == 'stopping' then return key.stopping(), job.stopped_at end
  if TERMINAL[state] then return key.ended(), job.finished_at end
  return nil
end

-- Writes fields of a job without changing its state.
local function touch(job, changes, now)
  even_if_full()
  changes.rev = tonumber(job.rev) + 1
  changes.changed_at = now
  for field, value in pairs(changes) do job[field] = text(value) end
  write_hash(key.job(job.id), changes)
  redis.call('ZADD', key.by_namespace(job.namespace), now, job.id)
  redis.call('ZADD', key.by_state(job.namespace, job.state), now, job.id)
  redis.call('ZADD', key.by_queue(job.queue), now, job.id)
  redis.call('INCR', key.seq())
  if job.request_name ~= '' then
    if redis.call('ZADD', key.dirty(), 'NX', now, job.id) == 1 then wake('settle') end
  end
end

-- The one way from a state to another.
local function move(job, to, verb, changes, now)
  local from = job.state
  if not ARROWS[verb .. ' ' .. from .. ' ' .. to] then
    return error('bgjobs: ' .. verb .. ' may not move a job from ' .. from .. ' to ' .. to)
  end
  if from ~= 'new' then
    redis.call('ZREM', key.by_state(job.namespace, from), job.id)
    local index = state_index(job, from)
    if index then redis.call('ZREM', index, job.id) end
    if OWNED[from] and not OWNED[to] then
      redis.call('ZREM', key.owned(job.queue), job.id)
      if redis.call('ZCARD', key.ready(job.queue, 1)) + redis.call('ZCARD', key.ready(job.queue, 0)) > 0 then
        wake('dispatch')
      end
    end
  end
  changes.state = to
  if TERMINAL[to] then changes.finished_at = now end
  touch(job, changes, now)
  local index, score = state_index(job, to)
  if index then redis.call('ZADD', index, score, job.id) end
  if OWNED[to] and not OWNED[from] then redis.call('ZADD', key.owned(job.queue), now, job.id) end
  if to == 'queued' then wake('dispatch') end
  if to == 'stopping' then wake('stop') end
  if to == 'scheduled' and redis.call('ZRANGE', key.due(), 0, 0)[1] == job.id then wake('dispatch') end
  if TERMINAL[to] then
    redis.call('ZADD', key.expiring(), now + tonumber(job.records_ms), job.id)
    if redis.call('ZCARD', key.ended()) == 1 then wake('retire') end
  end
  count(job, to)
end

-- Ends an attempt once; a closed attempt never changes.
local function close_attempt(job, outcome, now, more)
  local attempt = load_attempt(job)
  if not attempt or attempt.ended_at then return false end
  local fields = more or {}
  fields.ended_at = now
  fields.outcome = outcome
  write_hash(key.attempt(job.id, job.attempt), fields)
  return true
end
