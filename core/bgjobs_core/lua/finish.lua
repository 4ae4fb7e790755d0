-- finish: the runner says how its attempt ended. An error only closes the attempt: whether there is another
-- is Kubernetes' decision, and the job ends when the KubeJob does.
-- ARGV: offset, id, pod_uid, attempt, outcome, error (JSON or ''), result (JSON or ''), exit code or ''.
-- Returns {recorded | go_away, state}; the same pod gets the same reply.
local id, pod_uid, number, outcome = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local job = load_job(id)
if not job then return {'go_away', ''} end
local attempt = load_hash(key.attempt(id, number))
if not attempt or attempt.pod_uid ~= pod_uid then return {'go_away', job.state} end
if attempt.ended_at then return {'recorded', job.state} end
if job.attempt ~= number or (job.state ~= 'launched' and job.state ~= 'stopping') then return {'go_away', job.state} end
local now = now_ms()
local more = {}
if ARGV[6] ~= '' then more.error = ARGV[6] end
if ARGV[8] ~= '' then more.exit_code = ARGV[8] end
even_if_full()
if job.state == 'stopping' then
  if outcome ~= 'succeeded' and job.verdict == 'cancelled' then outcome = 'cancelled' end
  close_attempt(job, outcome, now, more)
  touch(job, {phase = 'ending'}, now)
elseif outcome == 'succeeded' then
  close_attempt(job, outcome, now, more)
  move(job, 'succeeded', 'finish', {outcome = outcome, result = ARGV[7], error = '', phase = '', reason = ''}, now)
elseif outcome == 'rejected' or outcome == 'aborted' then
  close_attempt(job, outcome, now, more)
  move(job, 'failed', 'finish', {outcome = outcome, error = ARGV[6], phase = '', reason = outcome}, now)
else
  close_attempt(job, outcome, now, more)
  touch(job, {phase = 'retrying', reason = outcome, error = ARGV[6], last_outcome = outcome}, now)
end
return {'recorded', job.state}
