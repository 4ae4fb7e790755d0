-- run_now: Makes a scheduled job ready at once, whatever its delay.
-- It still waits for a slot of its queue. A job that is held by something else is left as it is.
--@ job_id  text       the job
--@ by      text(253)  who wants it
--@ note    text(500)  why, in words; "" if nothing is said
--> did    STATE.queued|same|kept|missing  same: it is ready already; kept: it is held by something else than its time, or
--    has a slot, or has ended; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if job.state == STATE.queued then return {'same', job.state} end
if job.state ~= STATE.scheduled then return {'kept', job.state} end
local now = now_ms()
move(job, STATE.queued, {not_before = now, queued_at = now, reason = false}, now)
remember(job, 'run_now', by, note, now)
return {STATE.queued, job.state}
