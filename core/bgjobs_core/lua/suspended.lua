-- suspended: The KubeJob of a launched job is suspended and has no pod left, or is not suspended any more.
-- One that is gone has no pod either, and is not suspended; `observe_end` takes that into the record. If that is still
-- what is wished, nothing is left to be done. An attempt whose pod is gone without a word was disrupted, which is not
-- counted.
--@ job_id        text    the job
--@ kube_uid      text    UID of the KubeJob that was looked at; it must be the recorded one
--@ is_suspended  yes|no  as it is now
--> did    noted|same|stray|missing  same: something else is wished by now, or the job is not launched; stray: the UID is
--    not the recorded one; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if (job.kube_uid or '') ~= kube_uid then return {'stray', job.state} end
if job.state ~= STATE.launched or (is_suspended == 'yes') ~= (job.paused_by ~= nil) then return {'same', job.state} end
local now = now_ms()
forget_suspension(job)
if job.paused_by then
  local changes = {phase = PHASE.suspended, reason = false}
  if close_attempt(job, OUTCOME.disrupted, '', nil, now) then changes.last_outcome = OUTCOME.disrupted end
  if changes.last_outcome or job.phase ~= PHASE.suspended then touch(job, changes, now) end
end
return {'noted', job.state}
