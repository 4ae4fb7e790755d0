-- expire: Cancels jobs that wait and should have started by now.
-- A job that has a slot by then has started in time. An id that is no waiting job, or whose record cannot be read, is
-- dropped.
--@ limit  whole=20  how many jobs at most
--> expired  whole   how many were cancelled
--> next_at  whole?  Unix time in ms at which the next job expires; None if none does
--> now      whole   Redis TIME in ms
--> dropped  whole   how many ids were dropped
local now = now_ms()
local expired, dropped = 0, 0
for _, job_id in ipairs(redis.call('ZRANGE', key.start_by(), '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)) do
  local job = load_job(job_id)
  if job and WAITING[job.state] and has_expired(job, now) then
    expire_job(job, now)
    expired = expired + 1
  else
    redis.call('ZREM', key.start_by(), job_id)
    dropped = dropped + 1
  end
end
local first = redis.call('ZRANGE', key.start_by(), 0, 0, 'WITHSCORES')
return {expired, first[2] and tonumber(first[2]) or '', now, dropped}
