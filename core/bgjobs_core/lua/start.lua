-- start: Decides whether a pod may run the code of a job.
-- Only pods of the one recorded KubeJob may. A job without a recorded KubeJob is bound to the one that asks. Each pod
-- gets one attempt, and the same reply when it asks again; when that attempt has ended, it may go on with the next one.
-- A pod that comes before the pause is over that the code has asked for is told to wait. A job that has had several
-- attempts in one pod has more of them than Kubernetes counts, so it is counted here how many there may be. Before a job
-- was claimed for the first time, no pod of it can exist: one that asks was made by somebody else, and learns nothing.
--@ job_id    text    the job
--@ kube_uid  text    UID of the KubeJob that the pod belongs to
--@ pod_uid   text    UID of the pod; it is the fence of the attempt
--@ pod_name  text    for people
--@ after     whole?  the attempt of this pod after which it asks for the next one; nil: it asks for its first
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
local in_pod = false
for number = latest, 1, -1 do
  local found = redis.call('HMGET', key.attempt(job_id, number), 'pod_uid', 'ended_at')
  if found[1] == pod_uid then
    in_pod = after == number and number == latest and found[2]
    if in_pod then break end
    if number < latest or found[2] or after == number then return {'go_away', '', 'this attempt has ended', ''} end
    return {'run', number, '', redis.call('GET', key.checkpoint(job_id)) or ''}
  end
end
if after and not in_pod then return {'go_away', '', 'another pod runs this job', ''} end
local now = now_ms()
if not in_pod and job.retry_at and tonumber(job.retry_at) > now then
  local seconds = math.ceil((tonumber(job.retry_at) - now) / 1000)
  return {'wait', '', 'its code has asked for a pause, of which ' .. text(seconds) .. ' s are left', ''}
end
local number = latest + 1
local most = tonumber(redis.call('HGET', key.spec(job.spec), 'max_retries')) + 1 + LIMIT.max_disruptions
if number > most + tonumber(job.suspensions or '0') + tonumber(job.preemptions or '0') then
  return {'go_away', '', 'all attempts are used up', ''}
end
even_if_full()
-- A pod that a suspension has ended without a word, or Kueue, is not counted.
local is_disrupted = is_suspension_wished(job) or job.kueue_at
local unseen = is_disrupted and OUTCOME.disrupted or OUTCOME.lost
if in_pod or job.in_pod then
  local ended = latest_attempt(job, 'ended_at', 'outcome')
  if is_used_up(job, ended[1] and ended[2] or unseen) then
    if not ended[1] then attempt_ended(job, unseen, UNSEEN, nil, now) end
    return {'go_away', '', 'all attempts are used up', ''}
  end
end
-- Kubernetes runs one pod at a time (podReplacementPolicy: Failed), so the one before has ended unseen.
close_attempt(job, unseen, UNSEEN, nil, now)
local changes = {attempt = number, fence = pod_uid, phase = PHASE.running, reason = false, retry_at = false}
if in_pod then
  changes.in_pod = tonumber(job.in_pod or '0') + 1
elseif job.kueue_at then -- it was admitted, or there would be no new pod
  changes.kueue_at = false
end
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
