-- Jobs that are suspended: launched ones of which somebody wishes that no pod of theirs runs (`paused_by`), or that they
-- go on again (`resumed_at`). What the loop `suspend` has to see to is in its work list.

local function wish_suspension(job, now)
  redis.call('ZADD', key.suspending(job.namespace), now, job.id)
  wake('suspend')
end

local function forget_suspension(job) redis.call('ZREM', key.suspending(job.namespace), job.id) end

-- Whether something is left to be seen to.
local function is_suspension_wished(job) return redis.call('ZSCORE', key.suspending(job.namespace), job.id) end

-- The phase of a job whose pod is not there, and will be made.
local function phase_before_pod(job) return job.attempt and PHASE.retrying or PHASE.pending end

-- What becomes of this when a job is not launched any more; for `move`.
local function leave_suspension(job, changes)
  if job.kueue_at then changes.kueue_at = false end
  if not job.paused_by and not job.resumed_at then return end
  forget_suspension(job)
  if job.paused_by and changes.note == nil then changes.note = false end
  changes.paused_by, changes.paused_at, changes.resumed_at = false, false, false
end
