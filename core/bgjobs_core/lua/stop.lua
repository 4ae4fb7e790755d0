-- stop: no code of the job starts from now on. What waits ends here; what has a KubeJob, or may get one,
-- goes to `stopping` until it is gone.
-- ARGV: offset, id, verdict (cancelled | never_started | lost | disrupted), by, note.
-- Returns {cancelled | stopping | kept | ended | missing, state}. `kept`: the verdict was reached on an older view:
-- a job that waits (again) can only be cancelled, and one whose code runs is not `never_started`.
local id, verdict, by, note = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local job = load_job(id)
if not job then return {'missing', ''} end
if TERMINAL[job.state] then return {'ended', job.state} end
if job.state == 'stopping' then return {'stopping', 'stopping'} end
if WAITING[job.state] and verdict ~= 'cancelled' then return {'kept', job.state} end
if verdict == 'never_started' then
  local attempt = load_attempt(job)
  if attempt and not attempt.ended_at then return {'kept', job.state} end
end
local now = now_ms()
local changes = {verdict = verdict, stopped_by = by, note = note, stopped_at = now}
if WAITING[job.state] then
  changes.outcome = verdict
  changes.reason = note
  move(job, 'cancelled', 'stop', changes, now)
  return {'cancelled', 'cancelled'}
end
changes.phase = 'ending'
move(job, 'stopping', 'stop', changes, now)
return {'stopping', 'stopping'}
