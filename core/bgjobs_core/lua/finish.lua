-- finish: The runner says how its attempt ended.
-- A success, an abort or a rejection ends the job. Any other outcome only closes the attempt: Kubernetes decides
-- whether another one follows, and the job ends when its KubeJob does. But a job that has had several attempts in one pod
-- has more of them than Kubernetes counts, and ends here with the last one that it may have. The attempt of a job that is
-- being stopped is closed as well, and the job ends when its pods are gone. The same pod gets the same reply when it asks again.
--@ job_id      text     the job
--@ pod_uid     text     the pod that speaks
--@ attempt     whole    the attempt that it ran
--@ outcome     OUTCOME  how the attempt ended
--@ failure     text     JSON of the error; "" if there is none
--@ result      text     JSON of what the code returned; "" if there is none
--@ exit_code   whole?   of the code's process, if it has one
--@ checkpoint  text?    as in `beat`; nil if the beats have brought it. A success needs none any more
--@ retry_ms    whole?   after how long the code wants to be tried again, in this pod if it likes; nil: it does not say
--> did    recorded|go_away  go_away: this pod does not run the current attempt
--> state  text    the job's state after the verb; "" if there is no such job
--> again  yes|no  yes: another attempt may follow
local job = load_job(job_id)
if not job then return {'go_away', '', 'no'} end
local ending = redis.call('HMGET', key.attempt(job_id, attempt), 'pod_uid', 'ended_at')
if ending[1] ~= pod_uid then return {'go_away', job.state, 'no'} end
if ending[2] then
  local is_latest = job.state == STATE.launched and tonumber(job.attempt) == attempt
  return {'recorded', job.state, is_latest and may_be_retried(job, job.last_outcome) and 'yes' or 'no'}
end
if tonumber(job.attempt) ~= attempt then return {'go_away', job.state, 'no'} end
if job.state ~= STATE.launched and job.state ~= STATE.stopping then return {'go_away', job.state, 'no'} end
local now = now_ms()
even_if_full()
if outcome ~= OUTCOME.succeeded then keep_checkpoint(job_id, checkpoint) end
local again = job.state == STATE.launched and not FINAL[outcome] and may_be_retried(job, outcome)
if job.state == STATE.launched and (FINAL[outcome] or job.in_pod and not again) then
  close_attempt(job, outcome, failure, exit_code, now)
  local changes = {outcome = outcome, phase = false, reason = false}
  if outcome == OUTCOME.succeeded then
    changes.error_attempt = false
    if result ~= '' then
      redis.call('SET', key.result(job_id), result)
      changes.has_result = 1
    end
    move(job, STATE.succeeded, changes, now)
  else
    changes.error_attempt = error_of(job, failure)
    move(job, STATE.failed, changes, now)
  end
else
  attempt_ended(job, outcome, failure, exit_code, now, again and retry_ms and now + retry_ms)
end
return {'recorded', job.state, again and 'yes' or 'no'}
