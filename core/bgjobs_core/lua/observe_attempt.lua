-- observe_attempt: Records that the pod of the current attempt ended without having said so.
-- What the runner has said itself is never overwritten. Whether another attempt follows is Kubernetes' decision.
--@ job_id     text     the job
--@ kube_uid   text     UID of the KubeJob that was looked at; it must be the recorded one
--@ pod_uid    text     the pod that ended
--@ outcome    OUTCOME  why, as the status of its container says
--@ exit_code  whole?   of the container, if it is known
--@ failure    text     JSON of the error; "" if there is none
--> did    noted|same|stray|missing  same: the attempt has ended already, or another pod runs the current one;
--    stray: the UID is not the recorded one; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if (job.kube_uid or '') ~= kube_uid then return {'stray', job.state} end
if job.fence ~= pod_uid then return {'same', job.state} end
if job.state ~= STATE.launched and job.state ~= STATE.stopping then return {'same', job.state} end
even_if_full()
if not attempt_ended(job, outcome, failure, exit_code, now_ms()) then return {'same', job.state} end
return {'noted', job.state}
