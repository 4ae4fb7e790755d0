-- enqueue: Adds a new job, which is due now or later.
-- The caller makes the id. The same id with the same digest is the same job, so an enqueue can be sent twice. Redis
-- refuses this verb when its memory is full, before anything is written.
--! called by Enqueueing.enqueue
--@ job_id         text    made by the caller
--@ digest         text    of what was asked for
--@ delay_ms       whole   how long from now until the job is due
--@ not_before_ms  whole?  a Unix time in ms before which the job is not due; the later of the two holds
--@ fields         fields  all other fields of the record
--> did    created|exists|conflict  exists: the job was there already; conflict: the id is that of another job
--> state  text  the job's state after the verb
local old = load_job(job_id)
if old then
  if old.digest == digest then return {'exists', old.state} end
  return {'conflict', old.state}
end
local now = now_ms()
local job = fields
job.id, job.digest = job_id, digest
job.state, job.phase, job.rev, job.attempt = NEW, '', 0, 0
job.created_at = now
job.not_before = now + delay_ms
if not_before_ms and not_before_ms > job.not_before then job.not_before = not_before_ms end
local to = STATE.queued
if job.not_before > now then to = STATE.scheduled else job.queued_at = now end
-- The first write adds, so a full Redis refuses the script before anything is changed.
write_hash(key.job(job_id), job)
for field, value in pairs(job) do job[field] = text(value) end
move(job, to, {}, now)
return {'created', job.state}
