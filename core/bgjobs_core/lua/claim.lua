-- claim: Gives free slots of one queue to the next of its jobs.
-- Jobs of high priority come first, then those that have waited longest. Each claim is a write-ahead intent: the job
-- is `launching` before Kubernetes is asked for anything. Slots are counted from the jobs that hold them, so none
-- can be lost. A repeat after a lost reply claims what is free then. No caller depends on the reply, because the launch
-- loop reads the index of launching jobs.
--@ epoch  text   the leader's token
--@ queue  text   as namespace/name
--@ limit  whole  how many jobs at most
--> did  ok|not_leader|closed|full  ok: as many as were there were claimed; not_leader: another one leads by now;
--    closed: there is no such queue, or it is paused; full: all its slots are taken
--> ids  text*  the jobs that were claimed, in their order
if redis.call('GET', key.epoch()) ~= epoch then return {'not_leader', {}} end
local settings = load_hash(key.queue(queue))
if not settings or settings.paused == '1' then return {'closed', {}} end
local free = tonumber(settings.max_concurrent) - redis.call('ZCARD', key.owned(queue))
if free <= 0 then return {'full', {}} end
if free > limit then free = limit end
local now = now_ms()
local ids = {}
for priority = 1, 0, -1 do
  if #ids < free then
    for _, job_id in ipairs(redis.call('ZRANGE', key.ready(queue, priority), 0, free - #ids - 1)) do
      local job = load_job(job_id)
      move(job, STATE.launching, {epoch = epoch, claimed_at = now, reason = ''}, now)
      ids[#ids + 1] = job_id
    end
  end
end
return {'ok', ids}
