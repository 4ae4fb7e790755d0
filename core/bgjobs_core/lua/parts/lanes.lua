-- Lanes: the queued jobs of one queue and priority, the oldest first, with a lane for each concurrency key; jobs without
-- one share the lane of the empty key. Lanes that have jobs take turns.

-- A number that is greater than all before.
local function next_turn() return redis.call('INCR', key.seq()) end

local function enter_lane(job)
  local own = job.concurrency_key or ''
  redis.call('ZADD', key.lane(job.queue, job.priority, own), job.queued_at, job.id)
  redis.call('ZADD', key.turns(job.queue, job.priority), 'NX', next_turn(), own)
  redis.call('HINCRBY', key.ready(), job.queue, 1)
  wake('dispatch')
end

local function leave_lane(job)
  local own = job.concurrency_key or ''
  local lane = key.lane(job.queue, job.priority, own)
  redis.call('ZREM', lane, job.id)
  if redis.call('EXISTS', lane) == 0 then redis.call('ZREM', key.turns(job.queue, job.priority), own) end
  if redis.call('HINCRBY', key.ready(), job.queue, -1) == 0 then redis.call('HDEL', key.ready(), job.queue) end
end
