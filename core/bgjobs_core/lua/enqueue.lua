-- enqueue: a job appears. The caller makes the id; the same id with the same digest is the same job.
-- ARGV: offset, id, digest, delay_ms, not_before (ms or ''), then pairs of field and value.
-- Returns {created | exists | conflict, state}.
local id, digest = ARGV[2], ARGV[3]
local old = load_job(id)
if old then
  if old.digest == digest then return {'exists', old.state} end
  return {'conflict', old.state}
end
local now = now_ms()
local job = {}
for i = 6, #ARGV, 2 do job[ARGV[i]] = ARGV[i + 1] end
job.id, job.digest = id, digest
job.state, job.phase, job.rev, job.attempt = 'new', '', 0, 0
job.created_at = now
job.not_before = now + tonumber(ARGV[4])
if ARGV[5] ~= '' and tonumber(ARGV[5]) > job.not_before then job.not_before = tonumber(ARGV[5]) end
local to = 'queued'
if job.not_before > now then to = 'scheduled' else job.queued_at = now end
-- The first write adds, so a full Redis refuses the script before anything is changed.
write_hash(key.job(id), job)
for field, value in pairs(job) do job[field] = text(value) end
move(job, to, 'enqueue', {}, now)
count(job, 'enqueued')
return {'created', to}
