-- promote: Makes ready the jobs whose time has come.
--@ limit  whole=20  how many jobs at most
--> promoted  whole   how many became ready
--> next_due  whole?  Unix time in ms at which the next job becomes due; None if no job is scheduled
--> now       whole   Redis TIME in ms
local now = now_ms()
local ids = redis.call('ZRANGEBYSCORE', key.due(), '-inf', now, 'LIMIT', 0, limit)
for _, job_id in ipairs(ids) do
  local job = load_job(job_id)
  if job then
    -- Ordered by when they became due, not by when we came to look.
    move(job, STATE.queued, {queued_at = job.not_before, reason = false}, now)
  else
    redis.call('ZREM', key.due(), job_id)
  end
end
local first = redis.call('ZRANGE', key.due(), 0, 0, 'WITHSCORES')
local next_due = first[2] and tonumber(first[2])
return {#ids, next_due or '', now}
