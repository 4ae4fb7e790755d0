-- let_go: Brings back jobs whose holds are over, those of each hold and of each queue in turn, the oldest first.
-- A hold of which nothing is left is forgotten. An id that is no job of a hold, or whose record cannot be read, is dropped.
--@ limit  whole=20  how many jobs at most, and how many holds are looked at
--> let_go   whole   how many jobs went back into their lanes
--> dropped  whole   how many ids were dropped
--> more     yes|no  yes: there are others
--> next_at  whole?  Unix time in ms at which the next hold ends; None if none does
--> now      whole   Redis TIME in ms
local now = now_ms()
local went, dropped, left = 0, 0, limit

local function take_back_of(hold, place)
  local queue, uid = string.match(place, '^(.*):(.-)$')
  local ids = redis.call('ZRANGE', key.aside(hold, queue, uid), 0, left - 1)
  for _, job_id in ipairs(ids) do
    local job = load_job(job_id)
    if job and job.state == STATE.queued and job.hold == hold and home(job.queue, job.queue_uid) == place then
      take_back(job, now)
      went = went + 1
    else
      drop_from_aside(hold, queue, uid, job_id)
      dropped = dropped + 1
    end
  end
  if #ids == 0 then redis.call('ZREM', key.holding(hold), place) end
  redis.call('ZADD', key.holding(hold), 'XX', next_turn(), place)
  return #ids
end

local function first_over()
  local first = redis.call('ZRANGE', key.hold_ends(), 0, 0, 'WITHSCORES')
  return first[1], tonumber(first[2])
end

local member, ends = first_over()
even_if_full()
while member and ends <= now and left > 0 do
  local namespace, hold = string.match(member, '^(.-)/(.*)$')
  local place = redis.call('ZRANGE', key.holding(hold), 0, 0)[1]
  if place then
    left = left - math.max(1, take_back_of(hold, place))
    redis.call('ZADD', key.hold_ends(), 'XX', now, member)
  else
    redis.call('ZREM', key.hold_ends(), member)
    redis.call('HDEL', key.holds(namespace), hold)
    redis.call('INCR', key.seq())
    left = left - 1
  end
  member, ends = first_over()
end
local is_more = member and ends <= now
return {went, dropped, is_more and 'yes' or 'no', member and ends or '', now}
