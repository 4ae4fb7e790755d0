-- Lanes: the queued jobs of one queue and priority, the oldest first, with a lane for each concurrency key; jobs without
-- one share the lane of the empty key. Lanes that have jobs take turns. Jobs that were admitted to an earlier queue of
-- the same name, which had another UID, have lanes of their own, so no claim of the present one finds them.

-- A number that is greater than all before.
local function next_turn() return redis.call('INCR', key.seq()) end

-- A script is carried out as a whole or not at all, so that all that it writes to records counts as one write.
local has_counted = false

local function count_write()
  if has_counted then return end
  has_counted = true
  redis.call('INCR', key.seq())
end

local in_turns = {} -- the keys that this script has given a turn, each with that of its queue

local function enter_turns(turns, own)
  if in_turns[turns .. own] then return end
  in_turns[turns .. own] = true
  redis.call('ZADD', turns, 'NX', next_turn(), own)
end

local function leave_turns(turns, own)
  in_turns[turns .. own] = nil
  redis.call('ZREM', turns, own)
end

-- The field of `ready` for the jobs of a queue.
local function home(queue, uid) return queue .. ':' .. uid end

-- Where a queued job lies: in a lane, or aside if a hold has set it aside.
local function lane_of(job)
  if job.hold then return key.aside(job.hold, job.queue, job.queue_uid) end
  return key.lane(job.queue, job.queue_uid, job.priority, job.concurrency_key or '')
end

local function count_ready(queue, uid, by)
  local field = home(queue, uid)
  if redis.call('HINCRBY', key.ready(), field, by) <= 0 then redis.call('HDEL', key.ready(), field) end
end

local function enter_lane(job)
  redis.call('ZADD', lane_of(job), job.queued_at, job.id)
  enter_turns(key.turns(job.queue, job.queue_uid, job.priority), job.concurrency_key or '')
  redis.call('HINCRBY', key.ready(), home(job.queue, job.queue_uid), 1)
  wake('dispatch', job.queue)
end

-- Takes an id out of a lane, whether there is a job of this id or not.
local function drop_from_lane(queue, uid, priority, own, job_id)
  local lane = key.lane(queue, uid, priority, own)
  redis.call('ZREM', lane, job_id)
  if redis.call('EXISTS', lane) == 0 then leave_turns(key.turns(queue, uid, priority), own) end
  count_ready(queue, uid, -1)
end

-- Takes an id out of those that a hold has set aside of a queue, whether there is a job of this id or not.
local function drop_from_aside(hold, queue, uid, job_id)
  local aside = key.aside(hold, queue, uid)
  redis.call('ZREM', aside, job_id)
  if redis.call('EXISTS', aside) == 0 then redis.call('ZREM', key.holding(hold), home(queue, uid)) end
  count_ready(queue, uid, -1)
end

local function leave_lane(job)
  if job.hold then return drop_from_aside(job.hold, job.queue, job.queue_uid, job.id) end
  drop_from_lane(job.queue, job.queue_uid, job.priority, job.concurrency_key or '', job.id)
end
