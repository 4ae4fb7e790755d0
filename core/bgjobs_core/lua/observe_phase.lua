-- observe_phase: Records how far the KubeJob of a launched job is.
-- A phase is shown to people, and no decision of the store rests on it. What the runner says is newer than what was
-- seen of its pod, so it is not overwritten. As long as a suspension of ours is wished, or its end is not seen to, what is
-- seen is older than that. Where somebody else has suspended the KubeJob and lifted that, its time counts from now on.
--@ job_id    text        the job
--@ kube_uid  text        UID of the KubeJob that was looked at; it must be the recorded one
--@ phase     PHASE       what was seen
--@ reason    text(1024)  why the pod does not start, in Kubernetes' words; "" if nothing is said against it
--> did    noted|same|stray|missing  same: the record says so already, or something newer; stray: the UID is not the
--    recorded one; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if (job.kube_uid or '') ~= kube_uid then return {'stray', job.state} end
if job.state ~= STATE.launched then return {'same', job.state} end
-- It was looked at before the pod started.
if phase == PHASE.pending and job.attempt then return {'same', job.state} end
local was_suspended = job.phase == PHASE.suspended
-- A node that does not answer is one behind which an attempt runs, and one that answers again is that same one.
if phase == PHASE.unreachable and job.phase ~= PHASE.running and job.phase ~= phase then return {'same', job.state} end
if phase == PHASE.running and job.phase ~= PHASE.unreachable then return {'same', job.state} end
if phase == PHASE.retrying and job.phase ~= PHASE.retrying and not was_suspended then return {'same', job.state} end
if job.phase == phase and (job.reason or '') == reason then return {'same', job.state} end
if job.paused_by or (phase == PHASE.suspended and is_suspension_wished(job)) then return {'same', job.state} end
local now = now_ms()
local changes = {phase = phase, reason = reason ~= '' and reason}
if was_suspended and phase ~= PHASE.suspended then changes.resumed_at = now end
touch(job, changes, now)
return {'noted', job.state}
