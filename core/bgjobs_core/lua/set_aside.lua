-- set_aside: Sets held jobs aside that stand before others in their queue, of one queue in turn.
-- A claim does so itself, and leaves a queue to this verb in which it has met only held jobs. It is done with a queue
-- when the job whose turn it is is not held.
--@ limit  whole=20  how many jobs at most
--> aside  whole   how many were set aside
--> more   yes|no  yes: others may have to be
local place = redis.call('ZRANGE', key.sweeping(), 0, 0)[1]
if not place then return {0, 'no'} end
local queue, uid = string.match(place, '^(.*):(.-)$')
local now = now_ms()
local holds, aside, left = holds_of(namespace_of(queue), now), 0, limit
local is_done = #holds == 0
even_if_full()

local function look_at(priority, own)
  local lane = key.lane(queue, uid, priority, own)
  local ids = redis.call('ZRANGE', lane, 0, left - 1)
  if #ids == 0 then leave_turns(key.turns(queue, uid, priority), own) end
  left = left - math.max(1, #ids)
  for _, job_id in ipairs(ids) do
    local job = load_job(job_id)
    local hold = job and job.state == STATE.queued and lane_of(job) == lane and hold_on(job, holds)
    if not hold then return true end
    put_aside(job, hold, now)
    aside = aside + 1
  end
  return false
end

for priority = 1, 0, -1 do
  while left > 0 and not is_done do
    local own = redis.call('ZRANGE', key.turns(queue, uid, priority), 0, 0)[1]
    if not own then break end
    is_done = look_at(priority, own)
  end
end
if is_done or left > 0 then
  redis.call('ZREM', key.sweeping(), place)
  wake('dispatch', queue)
else
  redis.call('ZADD', key.sweeping(), next_turn(), place)
end
return {aside, redis.call('EXISTS', key.sweeping()) == 1 and 'yes' or 'no'}
