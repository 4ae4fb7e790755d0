-- decline: Takes a claim back after its first POST was definitely refused.
-- Only then is it certain that no KubeJob of this claim exists. A refusal that may pass puts the job off; a refusal of
-- the manifest itself ends the job as rejected. It has not started, so it does not count for the rates of its queue.
--@ epoch        text        the leader's token; it must also be the one that claimed the job
--@ job_id       text        the job
--@ target       STATE.scheduled|STATE.failed  where the job goes
--@ back_off_ms  whole       how long it is put off; not used if it fails
--@ reason       text(1024)  the words of the refusal
--> did    declined|not_leader|kept  kept: the job is not launching, has been bound, or was claimed by another leader
--> state  text  the job's state after the verb; "" for not_leader, or if there is no such job
if redis.call('GET', key.epoch()) ~= epoch then return {'not_leader', ''} end
local job = load_job(job_id)
if not job then return {'kept', ''} end
if job.state ~= STATE.launching or job.epoch ~= epoch or job.kube_uid then return {'kept', job.state} end
local now = now_ms()
even_if_full()
forget_start(job)
if target == STATE.failed then
  move(job, STATE.failed, {outcome = OUTCOME.rejected, reason = reason ~= '' and reason}, now)
else
  local refusals = tonumber(job.refusals or '0') + 1
  local changes = {not_before = now + back_off_ms, refusals = refusals, queued_at = false}
  changes.reason = reason ~= '' and reason
  move(job, STATE.scheduled, changes, now)
end
return {'declined', job.state}
