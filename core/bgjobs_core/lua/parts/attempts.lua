-- The attempts of a job.

-- The error of an attempt of which nobody has seen how it ended.
local UNSEEN = '{"type":"Lost","message":"its pod is gone, and nobody has seen how it ended"}'

-- Some fields of the latest attempt, in the order in which they are asked for; nil if there is none. The whole attempt
-- may hold a long error, which no verb looks at.
local function latest_attempt(job, ...)
  if not job.attempt then return nil end
  return redis.call('HMGET', key.attempt(job.id, job.attempt), ...)
end

-- Writes the end of a job's latest attempt, once: what has ended never changes. Returns whether it was still open.
local function close_attempt(job, outcome, failure, exit_code, now)
  local found = latest_attempt(job, 'ended_at')
  if not found or found[1] then return false end
  local fields = {ended_at = now, outcome = outcome, exit_code = exit_code}
  if failure ~= '' then fields.error = failure end
  write_hash(key.attempt(job.id, job.attempt), fields)
  return true
end

-- The value of a record's `error_attempt`: the error of a job is that of an attempt, and is not kept twice.
local function error_of(job, failure) return failure ~= '' and job.attempt or false end

-- Whether a job has failed as often as it may, if its latest attempt has ended so: a disruption does not count, and of the
-- others there may be one more than retries.
local function is_used_up(job, outcome)
  local attempts = tonumber(job.attempt)
  local failures, most = attempts, tonumber(redis.call('HGET', key.spec(job.spec), 'max_retries'))
  if failures <= most then return false end
  if outcome == OUTCOME.disrupted then failures = failures - 1 end
  for number = 1, attempts - 1 do
    if redis.call('HGET', key.attempt(job.id, number), 'outcome') == OUTCOME.disrupted then failures = failures - 1 end
  end
  return failures > most
end

-- Whether Kubernetes starts another attempt after one that has ended so.
local function may_be_retried(job, outcome) return outcome == OUTCOME.disrupted or not is_used_up(job, outcome) end

-- Closes the latest attempt of a job that does not end with it. Returns whether it was still open; if not, nothing is
-- written. The pod of a job that is being cancelled dies because of that, whatever it says, unless it has succeeded.
-- Until retry_at, if there is one, no other pod begins the next attempt.
local function attempt_ended(job, outcome, failure, exit_code, now, retry_at)
  local is_stopping = job.state == STATE.stopping
  if is_stopping and job.verdict == OUTCOME.cancelled and outcome ~= OUTCOME.succeeded then
    outcome = OUTCOME.cancelled
  end
  if not close_attempt(job, outcome, failure, exit_code, now) then return false end
  if is_stopping then
    touch(job, {phase = PHASE.ending}, now)
  else
    local phase = may_be_retried(job, outcome) and PHASE.retrying or PHASE.ending
    if job.paused_by or job.phase == PHASE.suspended then phase = PHASE.suspended end
    local changes = {phase = phase, reason = false, last_outcome = outcome, retry_at = retry_at or false}
    changes.error_attempt = error_of(job, failure)
    -- From the first pause on, the store counts: Kubernetes does not see a pod that ends in the middle of one.
    if retry_at and not job.in_pod then changes.in_pod = 0 end
    touch(job, changes, now)
  end
  return true
end

-- Keeps from where the next attempt of a job can go on. Only the current attempt may say so, or one that was left behind
-- by its successor would take it back.
local function keep_checkpoint(job_id, checkpoint)
  if checkpoint == 'null' then
    redis.call('DEL', key.checkpoint(job_id))
  elseif checkpoint and checkpoint ~= '' then
    redis.call('SET', key.checkpoint(job_id), checkpoint)
  end
end

-- What a stored chunk of a log counts against the log's limit: `bgjobs_core.jobs.logs.cost` says the same.
local function cost_of_chunk(length, size) return math.max(length, size) + LIMIT.log_chunk_bytes end
