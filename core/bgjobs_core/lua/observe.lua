-- observe: what was seen of a job's KubeJob. It must be the recorded one.
-- ARGV: offset, id, kube_uid ('' where none was ever bound), what, outcome, reason, phase, pod_uid, exit code, error.
--   what = complete | failed | absent: the KubeJob ended, or it and its pods are gone
--   what = attempt: the current attempt's pod ended without having said so
--   what = phase: how far it is, for people
-- Returns {moved | noted | same | stray | missing, state}.
local id, kube_uid, what, outcome, reason = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local phase, pod_uid, exit_code, failure = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local job = load_job(id)
if not job then return {'missing', ''} end
if (job.kube_uid or '') ~= kube_uid then return {'stray', job.state} end
local now = now_ms()

if what == 'phase' then
  if job.state ~= 'launched' then return {'same', job.state} end
  -- It was looked at before the pod started: what the runner says is newer.
  if phase == 'pending' and job.attempt ~= '0' then return {'same', job.state} end
  if phase == 'retrying' and job.phase ~= 'retrying' then return {'same', job.state} end
  if job.phase == phase and (job.reason or '') == reason then return {'same', job.state} end
  touch(job, {phase = phase, reason = reason}, now)
  return {'noted', job.state}
end

if what == 'attempt' then
  if job.fence ~= pod_uid or (job.state ~= 'launched' and job.state ~= 'stopping') then return {'same', job.state} end
  local more = {}
  if exit_code ~= '' then more.exit_code = exit_code end
  if failure ~= '' then more.error = failure end
  even_if_full()
  if job.state == 'stopping' and outcome ~= 'succeeded' and job.verdict == 'cancelled' then outcome = 'cancelled' end
  if not close_attempt(job, outcome, now, more) then return {'same', job.state} end
  if job.state == 'stopping' then
    touch(job, {phase = 'ending'}, now)
  else
    touch(job, {phase = 'retrying', reason = outcome, error = failure, last_outcome = outcome}, now)
  end
  return {'noted', job.state}
end

if job.state == 'stopping' then
  if what ~= 'absent' then return {'same', job.state} end
  redis.call('ZREM', key.stopping(), id)
  local ended = 'lost'
  if job.verdict == 'cancelled' then ended = 'cancelled' end
  close_attempt(job, ended, now)
  if job.verdict == 'cancelled' then
    move(job, 'cancelled', 'observe', {outcome = 'cancelled', phase = '', reason = job.note or ''}, now)
  else
    move(job, 'failed', 'observe', {outcome = job.verdict, phase = '', reason = job.note or ''}, now)
  end
  return {'moved', job.state}
end
if job.state ~= 'launched' then return {'same', job.state} end

redis.call('ZREM', key.launched(), id)
if what == 'complete' then
  close_attempt(job, 'succeeded', now)
  move(job, 'succeeded', 'observe', {outcome = 'succeeded', error = '', phase = '', reason = ''}, now)
elseif what == 'absent' then
  close_attempt(job, 'lost', now)
  move(job, 'failed', 'observe', {outcome = 'lost', phase = '', reason = reason}, now)
else
  local unsaid = close_attempt(job, outcome, now)
  local why = outcome
  -- The last attempt's own word, if it said one, is more exact than the KubeJob's condition.
  if outcome == 'error' and job.last_outcome and not unsaid then why = job.last_outcome end
  move(job, 'failed', 'observe', {outcome = why, phase = '', reason = reason}, now)
end
return {'moved', job.state}
