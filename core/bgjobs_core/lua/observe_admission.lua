-- observe_admission: Records whether Kueue lets the KubeJob of a launched job have pods, and what it says if not.
-- Kueue may take back the place that it has given: the pod of an attempt is stopped then, and makes room for others. That
-- is not the job's fault, so an attempt more is allowed for each, up to a bound. The time in which a pod must start counts
-- from the latest admission.
--@ job_id    text             the job
--@ kube_uid  text             UID of the KubeJob that was looked at; it must be the recorded one
--@ admitted  yes|no|still_no  still_no: Kueue was asked about one that is not admitted; if it was since, it stays so
--@ reason    text(1024)       what Kueue says of one that it has not admitted; "" if nothing new is known
--@ attempt   whole?           for `no`: the latest attempt that was known before the KubeJob was looked at, 0 if there was
--    none; nil: whatever it is
--> did    noted|same|stray|missing  same: the record says so already, or the job is not launched, or has begun another
--    attempt since; stray: the UID is not the recorded one; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if (job.kube_uid or '') ~= kube_uid then return {'stray', job.state} end
if job.state ~= STATE.launched then return {'same', job.state} end
local now = now_ms()
if admitted == 'yes' then
  if not job.kueue_at then return {'same', job.state} end
  local changes = {kueue_at = false, reason = false}
  if not job.paused_by then changes.resumed_at = now end
  touch(job, changes, now)
  return {'noted', job.state}
end
if admitted == 'still_no' and not job.kueue_at then return {'same', job.state} end
-- A pod that has begun an attempt meanwhile shows that it was admitted after that look.
if admitted == 'no' and attempt and attempt ~= tonumber(job.attempt or '0') then return {'same', job.state} end
local changes = {}
local is_ending = job.phase == PHASE.running or job.phase == PHASE.ending -- its pod may still be there
if reason ~= '' and reason ~= job.reason and not is_ending and not job.paused_by then changes.reason = reason end
if not job.kueue_at then
  changes.kueue_at = now
  if not job.paused_by then
    if job.phase == PHASE.suspended then changes.phase = phase_before_pod(job) end
    local times = tonumber(job.preemptions or '0')
    if job.attempt and times < LIMIT.max_preemptions then changes.preemptions = times + 1 end
  end
end
if not next(changes) then return {'same', job.state} end
touch(job, changes, now)
return {'noted', job.state}
