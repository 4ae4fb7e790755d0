-- stop: Sees to it that no code of a job starts from now on.
-- A job that waits is cancelled at once. A job that has a KubeJob, or may get one, goes to `stopping` with its verdict
-- until the KubeJob and its pods are gone. A verdict can have been reached on an older view of the job: one that waits
-- can only be cancelled, and one whose code runs, or that is suspended or waits for Kueue, is not `never_started`.
--@ job_id   text        the job
--@ verdict  VERDICT     what it is stopped for
--@ by       text        who stops it
--@ note     text(1024)  why, in words; "" if nothing is said
--> did    STATE.cancelled|STATE.stopping|kept|ended|missing  kept: the verdict does not fit (any more); ended: it is
--    too late; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if TERMINAL[job.state] then return {'ended', job.state} end
if job.state == STATE.stopping then return {STATE.stopping, job.state} end
if WAITING[job.state] and verdict ~= OUTCOME.cancelled then return {'kept', job.state} end
if verdict == OUTCOME.never_started then
  local attempt = latest_attempt(job, 'ended_at')
  if job.paused_by or job.kueue_at or (attempt and not attempt[1]) then return {'kept', job.state} end
end
local now = now_ms()
local changes = {verdict = verdict, stopped_by = by, note = note ~= '' and note, stopped_at = now}
if WAITING[job.state] then
  changes.outcome = verdict
  changes.reason = changes.note
  changes.paused_by, changes.paused_at = false, false
  move(job, STATE.cancelled, changes, now)
  return {STATE.cancelled, job.state}
end
changes.phase = PHASE.ending
move(job, STATE.stopping, changes, now)
return {STATE.stopping, job.state}
