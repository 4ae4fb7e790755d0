-- start: Decides whether a pod may run the code of a job.
-- Only pods of the one recorded KubeJob may. A job without a recorded KubeJob is bound to the one that asks. Each pod
-- gets one attempt, and the same reply when it asks again. Before a job was claimed for the first time, no pod of it can
-- exist: one that asks was made by somebody else, and learns nothing.
--@ job_id    text  the job
--@ kube_uid  text  UID of the KubeJob that the pod belongs to
--@ pod_uid   text  UID of the pod; it is the fence of the attempt
--@ pod_name  text  for people
--> action      run|done|wait|go_away  run: the code may run; done: the job has succeeded; wait: not now, the pod may be
--    started again; go_away: never in this pod
--> attempt     whole?  number of the attempt to run; None unless action is run
--> reason      text  why not; "" if action is run
--> checkpoint  text  JSON from which the attempt can go on; "" if no attempt before has said so, or action is not run
local job = load_job(job_id)
if not job then return {'go_away', '', 'there is no such job (any more)', ''} end
if job.kube_uid and job.kube_uid ~= kube_uid then return {'go_away', '', 'another KubeJob runs this job', ''} end
if job.state == STATE.succeeded then return {'done', '', 'the job has succeeded already', ''} end
if job.state == STATE.paused or job.state == STATE.blocked then return {'wait', '', 'the job is ' .. job.state, ''} end
if job.state == STATE.launched and job.paused_by then return {'wait', '', 'the job is suspended', ''} end
if job.state ~= STATE.launched and not may_move(job, STATE.launched) then
  return {'go_away', '', 'the job is ' .. job.state, ''}
end
if not job.kube_uid and not may_have_kube_job(job) then return {'wait', '', 'the job was never launched', ''} end
local latest = tonumber(job.attempt or '0')
for number = latest, 1, -1 do
  local found = redis.call('HMGET', key.attempt(job_id, number), 'pod_uid', 'ended_at')
  if found[1] == pod_uid then
    if number < latest or found[2] then return {'go_away', '', 'this attempt has ended', ''} end
    return {'run', number, '', redis.call('GET', key.checkpoint(job_id)) or ''}
  end
end
local number = latest + 1
local most = tonumber(redis.call('HGET', key.spec(job.spec), 'max_retries')) + 1 + LIMIT.max_disruptions
if number > most + tonumber(job.suspensions or '0') then
  return {'go_away', '', 'all attempts are used up', ''}
end
local now = now_ms()
even_if_full()
-- Kubernetes runs one pod at a time (podReplacementPolicy: Failed), so the one before has ended unseen.
close_attempt(job, OUTCOME.lost, UNSEEN, nil, now)
local changes = {attempt = number, fence = pod_uid, phase = PHASE.running, reason = false}
if not job.started_at then changes.started_at = now end
redis.call('DEL', key.progress(job_id))
write_hash(key.attempt(job_id, number), {number = number, pod_uid = pod_uid, pod_name = pod_name, started_at = now})
if job.state == STATE.launched then
  touch(job, changes, now)
else
  changes.kube_uid, changes.launched_at = kube_uid, now
  move(job, STATE.launched, changes, now)
end
return {'run', number, '', redis.call('GET', key.checkpoint(job_id)) or ''}
