-- Where a job belongs that waits.

-- The state of a job that is held by nothing else any more, and the changes that go with it. It keeps its place: it is
-- queued since it was queued first, or else since it became due. One that needs other jobs has its place from now on.
-- The caller may know already how many of the jobs are open that it needs.
local function waiting_state(job, now, open)
  if (open or open_parents(job)) > 0 then return STATE.blocked, {queued_at = false} end
  local due = tonumber(job.not_before)
  if due and due > now then return STATE.scheduled, {queued_at = false} end
  return STATE.queued, {queued_at = tonumber(job.queued_at) or not job.needs and due or now, reason = false}
end

-- Cancels a job whose time to start is over.
local function expire_job(job, now)
  local changes = {outcome = OUTCOME.cancelled, paused_by = false, paused_at = false, note = false}
  changes.reason = 'It expired: it had not started by the time that was set for it.'
  move(job, STATE.cancelled, changes, now)
end

local function has_expired(job, now) return job.start_by and tonumber(job.start_by) <= now end
