-- observe_end: Records that the KubeJob of a job has ended, or that it and its pods are gone.
-- A launched job ends with its KubeJob. A job that is being stopped ends with its verdict, and only when nothing of it
-- is left. A job in any other state is not changed.
--@ job_id    text        the job
--@ kube_uid  text        UID of the KubeJob that was looked at, which must be the recorded one; "" where none was bound
--@ what      complete|failed|absent  the condition of the KubeJob; absent: it and its pods do not exist
--@ outcome   OUTCOME?    why a failed KubeJob failed
--@ reason    text(1024)  the words of Kubernetes, or ours
--> did    moved|same|stray|missing  moved: the job has ended; same: there is nothing to do; stray: the UID is not the
--    recorded one; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if (job.kube_uid or '') ~= kube_uid then return {'stray', job.state} end
local now = now_ms()

if job.state == STATE.stopping then
  if what ~= 'absent' then return {'same', job.state} end
  even_if_full()
  local changes = {outcome = job.verdict, phase = false, reason = job.note}
  if job.verdict == OUTCOME.cancelled then
    close_attempt(job, OUTCOME.cancelled, '', nil, now)
    move(job, STATE.cancelled, changes, now)
  else
    close_attempt(job, OUTCOME.lost, '', nil, now)
    move(job, STATE.failed, changes, now)
  end
  return {'moved', job.state}
end
if job.state ~= STATE.launched then return {'same', job.state} end

even_if_full()
if what == 'complete' then
  close_attempt(job, OUTCOME.succeeded, '', nil, now)
  move(job, STATE.succeeded, {outcome = OUTCOME.succeeded, error_attempt = false, phase = false, reason = false}, now)
elseif what == 'absent' then
  close_attempt(job, OUTCOME.lost, UNSEEN, nil, now)
  move(job, STATE.failed, {outcome = OUTCOME.lost, phase = false, reason = reason ~= '' and reason}, now)
else
  local unsaid = close_attempt(job, outcome, '', nil, now)
  -- The last attempt's own word, if it said one, is more exact than the KubeJob's condition.
  if job.last_outcome and not unsaid then
    -- A pod that came when all attempts were used up was sent away, which says nothing of how the last one ended.
    local used_up = outcome == OUTCOME.rejected and job.in_pod and is_used_up(job, job.last_outcome)
    if outcome == OUTCOME.error or used_up then outcome = job.last_outcome end
  end
  move(job, STATE.failed, {outcome = outcome, phase = false, reason = reason ~= '' and reason}, now)
end
return {'moved', job.state}
