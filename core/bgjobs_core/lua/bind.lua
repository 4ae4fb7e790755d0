-- bind: the one KubeJob of a job is recorded. A job is bound once and for ever.
-- ARGV: offset, id, kube_uid. Returns {bound | stray | missing, state}.
local id, kube_uid = ARGV[2], ARGV[3]
local job = load_job(id)
if not job then return {'missing', ''} end
if job.kube_uid then
  if job.kube_uid == kube_uid then return {'bound', job.state} end
  return {'stray', job.state}
end
local now = now_ms()
if job.state == 'stopping' then
  touch(job, {kube_uid = kube_uid}, now)
  return {'bound', 'stopping'}
end
if not ARROWS['bind ' .. job.state .. ' launched'] then return {'stray', job.state} end
move(job, 'launched', 'bind', {kube_uid = kube_uid, launched_at = now, phase = 'pending', reason = ''}, now)
return {'bound', 'launched'}
