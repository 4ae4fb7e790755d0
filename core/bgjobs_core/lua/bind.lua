-- bind: Records the UID of the one KubeJob that runs a job.
-- A job is bound once and for ever: another UID is never accepted afterwards. A job that waits is bound as well if
-- its KubeJob turns up, because the KubeJob then exists and must not be created a second time.
--@ job_id    text  the job
--@ kube_uid  text  UID of the KubeJob
--> did    bound|stray|missing  bound: the record holds this UID; stray: the job has another
--    KubeJob, or may not have one; missing: there is no such job
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
move(job, STATE.launched, {kube_uid = kube_uid, launched_at = now, phase = PHASE.pending, reason = false}, now)
return {'bound', job.state}
