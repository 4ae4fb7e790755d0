-- decline: the first POST of an intent was definitely refused, so no KubeJob of it can exist.
-- ARGV: offset, epoch, id, target (scheduled | failed), back_off_ms, reason.
-- Returns {declined | not_leader | kept, state}.
local epoch, id, target, back_off = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('GET', key.epoch()) ~= epoch then return {'not_leader', ''} end
local job = load_job(id)
if not job then return {'kept', ''} end
if job.state ~= 'launching' or job.epoch ~= epoch or job.kube_uid then return {'kept', job.state} end
local now = now_ms()
if target == 'failed' then
  move(job, 'failed', 'decline', {outcome = 'rejected', reason = ARGV[6]}, now)
else
  local refusals = tonumber(job.refusals or '0') + 1
  move(job, 'scheduled', 'decline', {not_before = now + back_off, refusals = refusals, reason = ARGV[6]}, now)
end
return {'declined', target}
