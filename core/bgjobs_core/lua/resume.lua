-- resume: Lets a job that is paused or suspended go on from where it belongs by now.
-- A paused one is scheduled if it is not due yet, and else queued, in the place that it had. Of a suspended one the loop
-- `suspend` has Kubernetes make a pod again. A job that is neither is left as it is, and a request lifts no suspension.
--@ job_id      text       the job
--@ by          text(253)  who resumes it
--@ note        text(500)  why, in words; "" if nothing is said
--@ generation  whole?     of the BackgroundJobRequest that says so, which is carried out once; nil if a person does
--> did    resumed|same|ended|missing  same: it is neither, or this generation was carried out before; ended: it is too
--    late; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if TERMINAL[job.state] then return {'ended', job.state} end
if generation and generation <= tonumber(job.request_generation or '1') then return {'same', job.state} end
local now = now_ms()
if job.state == STATE.launched and job.paused_by and not generation then
  local goes_on = {paused_by = false, paused_at = false, note = false, resumed_at = now}
  if job.phase == PHASE.suspended then goes_on.phase = phase_before_pod(job) end
  touch(job, goes_on, now)
  wish_suspension(job, now)
  remember(job, 'resume', by, note, now)
  return {'resumed', job.state}
end
if job.state ~= STATE.paused then
  if generation then touch(job, {request_generation = generation}, now) end
  return {'same', job.state}
end
local to, changes = waiting_state(job, now)
changes.paused_by, changes.paused_at, changes.note = false, false, false
changes.request_generation = generation
move(job, to, changes, now)
remember(job, 'resume', by, note, now)
return {'resumed', job.state}
