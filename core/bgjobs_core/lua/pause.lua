-- pause: Holds a job that waits, until somebody resumes it.
-- It leaves its lane, or what is due, and keeps its place for when it is resumed. A job that has a slot already, or has
-- ended, is left as it is.
--@ job_id      text       the job
--@ by          text(253)  who pauses it
--@ note        text(500)  why, in words; "" if nothing is said
--@ generation  whole?     of the BackgroundJobRequest that says so, which is carried out once; nil if a person does
--> did    STATE.paused|same|kept|missing  same: it is paused already, or this generation was carried out before; kept: it
--    does not wait, and no more is noted than the generation, unless it has ended; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if TERMINAL[job.state] then return {'kept', job.state} end
if generation and generation <= tonumber(job.request_generation or '1') then return {'same', job.state} end
local now = now_ms()
if not WAITING[job.state] then
  if generation then touch(job, {request_generation = generation}, now) end
  return {'kept', job.state}
end
if job.state == STATE.paused then
  if generation then touch(job, {request_generation = generation}, now) end
  return {'same', job.state}
end
local changes = {paused_by = by, paused_at = now, note = note ~= '' and note, request_generation = generation}
move(job, STATE.paused, changes, now)
remember(job, 'pause', by, note, now)
return {STATE.paused, job.state}
