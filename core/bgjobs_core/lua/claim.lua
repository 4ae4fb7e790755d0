-- claim: Gives free slots of one queue to the next of its jobs.
-- Jobs of high priority come first. Within a priority the concurrency keys take turns, and within a key the job that has
-- waited longest comes first. Each claim is a write-ahead intent: the job is `launching` before Kubernetes is asked for
-- anything. Slots are counted from the jobs that hold them, so none can be lost. A repeat after a lost reply claims what
-- is free then. No caller depends on the reply, because the launch loop reads the index of launching jobs. An id that is
-- no queued job of the lane, or whose record cannot be read, is dropped. Jobs that were admitted to an earlier queue of
-- this name, with another UID, are not looked at: `disown` ends them.
--@ epoch  text   the leader's token
--@ queue  text   as namespace/name
--@ limit  whole  how many jobs at most
--> did      ok|not_leader|closed|full  ok: as many as were there were claimed; not_leader: another one leads by now;
--    closed: there is no such queue, or it is paused; full: all its slots are taken
--> ids      text*  the jobs that were claimed, in their order
--> dropped  whole  how many ids were dropped
if redis.call('GET', key.epoch()) ~= epoch then return {'not_leader', {}, 0} end
local settings = redis.call('HMGET', key.queue(queue), 'max_concurrent', 'is_paused', 'uid')
if not settings[1] or settings[2] == '1' then return {'closed', {}, 0} end
local left = math.min(limit, tonumber(settings[1]) - redis.call('ZCARD', key.owned(queue)))
if left <= 0 then return {'full', {}, 0} end
local now, uid = now_ms(), settings[3] or ''
local ids, dropped = {}, 0
local to_look_at = left + limit -- what is dropped takes time, too

-- Claims the oldest jobs of a lane.
local function claim_from(priority, own, count)
  local lane = key.lane(queue, uid, priority, own)
  for _, job_id in ipairs(redis.call('ZRANGE', lane, 0, count - 1)) do
    local job = load_job(job_id)
    to_look_at = to_look_at - 1
    if job and job.state == STATE.queued and lane_of(job) == lane then
      move(job, STATE.launching, {epoch = epoch, claimed_at = now, reason = false}, now)
      ids[#ids + 1] = job_id
      left = left - 1
    else
      drop_from_lane(queue, uid, priority, own, job_id)
      dropped = dropped + 1
    end
  end
end

for priority = 1, 0, -1 do
  local turns = key.turns(queue, uid, priority)
  while left > 0 and to_look_at > 0 do
    local first = redis.call('ZRANGE', turns, 0, 1)
    local own, is_alone = first[1], not first[2]
    if not own then break end
    claim_from(priority, own, is_alone and left or 1)
    if redis.call('EXISTS', key.lane(queue, uid, priority, own)) == 0 then
      redis.call('ZREM', turns, own)
    elseif not is_alone then
      redis.call('ZADD', turns, 'XX', next_turn(), own)
    end
  end
end
return {'ok', ids, dropped}
