-- suspend: Stops the pod of a launched job, until somebody resumes it; its code starts over then.
-- Here that is only wished, and from now on `start` lets no pod run its code: the loop `suspend` sees to the KubeJob. The
-- job keeps its slot. A job that waits is paused instead, and one that is being launched has no KubeJob that is known.
-- As each suspension may cost an attempt that does not count, there is a bound.
--@ job_id  text       the job
--@ by      text(253)  who suspends it
--@ note    text(500)  why, in words; "" if nothing is said
--> did    suspending|same|too_often|kept|ended|missing  same: it is suspended already, or is being so; too_often: it was
--    suspended as often as a job may be; kept: it is not launched; ended: it is too late; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if TERMINAL[job.state] then return {'ended', job.state} end
if job.state ~= STATE.launched then return {'kept', job.state} end
if job.paused_by then return {'same', job.state} end
local times = tonumber(job.suspensions or '0')
if times >= LIMIT.max_suspensions then return {'too_often', job.state} end
local now = now_ms()
local changes = {paused_by = by, paused_at = now, note = note ~= '' and note, suspensions = times + 1, resumed_at = false}
touch(job, changes, now)
wish_suspension(job, now)
remember(job, 'suspend', by, note, now)
return {'suspending', job.state}
