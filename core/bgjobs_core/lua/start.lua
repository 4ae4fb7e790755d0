-- start: the gate in front of job code. Only a pod of the one recorded KubeJob passes.
-- ARGV: offset, id, kube_uid, pod_uid, pod_name, max_disruptions.
-- Returns {run | done | wait | go_away, attempt or reason}; the same pod gets the same reply.
local id, kube_uid, pod_uid, pod_name = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local job = load_job(id)
if not job then return {'go_away', 'there is no such job (any more)'} end
if job.kube_uid and job.kube_uid ~= kube_uid then return {'go_away', 'another KubeJob runs this job'} end
if job.state == 'succeeded' then return {'done', 'the job has succeeded already'} end
if job.state == 'paused' or job.state == 'blocked' then return {'wait', 'the job is ' .. job.state} end
if not (job.state == 'launched' or ARROWS['start ' .. job.state .. ' launched']) then
  return {'go_away', 'the job is ' .. job.state}
end
local attempt = load_attempt(job)
if attempt and attempt.pod_uid == pod_uid then
  if attempt.ended_at then return {'go_away', 'this attempt has ended'} end
  return {'run', tonumber(job.attempt)}
end
for earlier = 1, tonumber(job.attempt) - 1 do
  if redis.call('HGET', key.attempt(id, earlier), 'pod_uid') == pod_uid then return {'go_away', 'this attempt has ended'} end
end
local number = tonumber(job.attempt) + 1
if number > tonumber(job.max_retries) + 1 + tonumber(ARGV[6]) then return {'go_away', 'all attempts are used up'} end
local now = now_ms()
even_if_full()
-- Kubernetes runs one pod at a time (podReplacementPolicy: Failed), so the one before has ended unseen.
close_attempt(job, 'lost', now)
local changes = {attempt = number, fence = pod_uid, phase = 'running', reason = '', progress = ''}
if not job.started_at then changes.started_at = now end
write_hash(key.attempt(id, number), {number = number, pod_uid = pod_uid, pod_name = pod_name, started_at = now})
if job.state == 'launched' then
  touch(job, changes, now)
else
  changes.kube_uid, changes.launched_at = kube_uid, now
  move(job, 'launched', 'start', changes, now)
end
count(job, 'started')
return {'run', number}
