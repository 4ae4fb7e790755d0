-- disown: Ends queued jobs of a queue that is gone, or whose place another one of its name has taken.
-- They would wait for ever otherwise, or run under a queue that they were never admitted to.
--@ queue   text        as namespace/name
--@ uid     text        of the queue that they were admitted to
--@ reason  text(1024)  why, in words
--@ limit   whole=20    how many jobs at most
--> did    ended|kept  ended: those that were found have ended; kept: the queue with this UID is there
--> found  whole       how many were found; fewer than `limit` means that no more are there
local settings = redis.call('HMGET', key.queue(queue), 'max_concurrent', 'uid')
if settings[1] and (settings[2] or '') == uid then return {'kept', 0} end
local now, found = now_ms(), 0
for priority = 1, 0, -1 do
  while found < limit do
    local own = redis.call('ZRANGE', key.turns(queue, uid, priority), 0, 0)[1]
    if not own then
      -- Keys at a limit have no turn, but their jobs are to end as well.
      open_all_keys(queue, uid)
      if open_keys(queue, uid, now, limit) == 0 then break end
      own = redis.call('ZRANGE', key.turns(queue, uid, priority), 0, 0)[1] or ''
    end
    local lane = key.lane(queue, uid, priority, own)
    local ids = redis.call('ZRANGE', lane, 0, limit - found - 1)
    for _, job_id in ipairs(ids) do
      local job = load_job(job_id)
      if job and job.state == STATE.queued and lane_of(job) == lane then
        move(job, STATE.failed, {outcome = OUTCOME.never_started, reason = reason ~= '' and reason}, now)
      else
        drop_from_lane(queue, uid, priority, own, job_id)
      end
    end
    found = found + #ids
    if #ids == 0 then leave_turns(key.turns(queue, uid, priority), own) end
  end
end
-- Those that a hold has set aside are in no lane.
for _, hold in ipairs(redis.call('HKEYS', key.holds(namespace_of(queue)))) do
  if found >= limit then break end
  local aside = key.aside(hold, queue, uid)
  local ids = redis.call('ZRANGE', aside, 0, limit - found - 1)
  for _, job_id in ipairs(ids) do
    local job = load_job(job_id)
    if job and job.state == STATE.queued and lane_of(job) == aside then
      move(job, STATE.failed, {outcome = OUTCOME.never_started, reason = reason ~= '' and reason}, now)
    else
      drop_from_aside(hold, queue, uid, job_id)
    end
  end
  found = found + #ids
end
return {'ended', found}
