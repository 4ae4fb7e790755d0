-- bind: Records the UID of the one KubeJob that runs a job.
-- A job is bound once and for ever: another UID is never accepted afterwards. A job that waits is bound as well if
-- its KubeJob turns up, because the KubeJob then exists and must not be created a second time. A job that was never
-- claimed has none (`may_have_kube_job`): whatever has its name was made by somebody else.
--@ job_id    text  the job
--@ kube_uid  text  UID of the KubeJob
--> did    bound|stray|unclaimed|missing  bound: the record holds this UID; stray: the job has another KubeJob, or may not
--    have one; unclaimed: it was never claimed, so this is no KubeJob of it; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if job.kube_uid then
  if job.kube_uid == kube_uid then return {'bound', job.state} end
  return {'stray', job.state}
end
local now = now_ms()
if job.state == STATE.stopping then
  touch(job, {kube_uid = kube_uid}, now)
  return {'bound', job.state}
end
if not may_move(job, STATE.launched) then return {'stray', job.state} end
if not may_have_kube_job(job) then return {'unclaimed', job.state} end
move(job, STATE.launched, {kube_uid = kube_uid, launched_at = now, phase = PHASE.pending, reason = false}, now)
return {'bound', job.state}
