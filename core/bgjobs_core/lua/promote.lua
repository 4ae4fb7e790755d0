-- promote: what is due becomes ready.
-- ARGV: offset, limit. Returns {number promoted, not_before of the next one in ms or ''}.
local now = now_ms()
local ids = redis.call('ZRANGEBYSCORE', key.due(), '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  local job = load_job(id)
  -- Ordered by when they became due, not by when we came to look.
  move(job, 'queued', 'promote', {queued_at = job.not_before, reason = ''}, now)
end
local first = redis.call('ZRANGE', key.due(), 0, 0, 'WITHSCORES')
return {#ids, first[2] or '', now}
