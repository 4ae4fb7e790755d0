-- What the verbs share. Every script is put together by bgjobs_core.store.assembly, in this order:
--
--   key         one function for each key of keys.py, for example key.job(id)
--   ARROWS      the transitions of the life cycle, as 'verb from to'
--   WAITING, OWNED, TERMINAL   the groups of states; FINAL: the outcomes that end a job at once
--   NEW         where an enqueue starts from
--   state_index(job, state)    the index that only jobs of this state are in, and the job's score there
--   VERB        the name of the verb
--   this file
--   the arguments of the verb, as locals named in its header
--   the verb
--
-- STATE.x, PHASE.x, OUTCOME.x (words of bgjobs.vocabulary) and LIMIT.x (numbers of assembly.py) are replaced by their
-- values when the script is put together, and an unknown one is an error then.
--
-- Every script checks everything first. Then it removes the old index entries: a script whose first write removes
-- something still runs when Redis is full. Then it writes.

-- Added to Redis TIME, in ms; it is 0 except in tests.
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

-- The latest attempt of a job; nil if it has none.
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

-- Rings the doorbell of one loop of the leader. It carries nothing that is needed: each loop reads the truth.
local function wake(loop) redis.call('XADD', key.wake(), 'MAXLEN', '~', '100', '*', 'loop', loop) end

-- Whether the life cycle has an arrow of this verb from the job's state to another one.
local function may_move(job, to) return ARROWS[VERB .. ' ' .. job.state .. ' ' .. to] end

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

-- Takes a job to another state. There is no other way, and a move that the life cycle does not have is an error.
local function move(job, to, changes, now)
  local from = job.state
  if not may_move(job, to) then
    return error('bgjobs: ' .. VERB .. ' may not move a job from ' .. from .. ' to ' .. to)
  end
  if from ~= NEW then
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
  if to == STATE.queued then wake('dispatch') end
  if to == STATE.stopping then wake('stop') end
  if to == STATE.scheduled and redis.call('ZRANGE', key.due(), 0, 0)[1] == job.id then wake('dispatch') end
  if TERMINAL[to] then
    redis.call('ZADD', key.expiring(), now + tonumber(job.records_ms), job.id)
    if redis.call('ZCARD', key.ended()) == 1 then wake('retire') end
  end
end

-- Writes the end of a job's latest attempt, once: what has ended never changes. Returns whether it was still open.
local function close_attempt(job, outcome, failure, exit_code, now)
  local attempt = load_attempt(job)
  if not attempt or attempt.ended_at then return false end
  local fields = {ended_at = now, outcome = outcome, exit_code = exit_code}
  if failure ~= '' then fields.error = failure end
  write_hash(key.attempt(job.id, job.attempt), fields)
  return true
end

-- Closes the latest attempt of a job that does not end with it. Returns whether it was still open; if not, nothing is
-- written. The pod of a job that is being cancelled dies because of that, whatever it says, unless it has succeeded.
local function attempt_ended(job, outcome, failure, exit_code, now)
  local is_stopping = job.state == STATE.stopping
  if is_stopping and job.verdict == OUTCOME.cancelled and outcome ~= OUTCOME.succeeded then
    outcome = OUTCOME.cancelled
  end
  if not close_attempt(job, outcome, failure, exit_code, now) then return false end
  if is_stopping then
    touch(job, {phase = PHASE.ending}, now)
  else
    touch(job, {phase = PHASE.retrying, reason = '', error = failure, last_outcome = outcome}, now)
  end
  return true
end
