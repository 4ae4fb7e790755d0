-- claim: jobs of one queue get their slots; each claim is a write-ahead intent in `launching`.
-- Slots are counted from the jobs that hold them, so none can leak.
-- ARGV: offset, epoch, queue, limit. Returns {ok | not_leader | closed | full, id...}; a repeat after a lost
-- reply claims what is free then, and the launch loop reads `launching`, so nothing hangs on the reply.
local epoch, queue, limit = ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('GET', key.epoch()) ~= epoch then return {'not_leader'} end
local settings = load_hash(key.queue(queue))
if not settings or settings.paused == '1' then return {'closed'} end
local free = tonumber(settings.max_concurrent) - redis.call('ZCARD', key.owned(queue))
if free <= 0 then return {'full'} end
if free < limit then limit = free end
local now = now_ms()
local reply = {'ok'}
for priority = 1, 0, -1 do
  if limit > 0 then
    for _, id in ipairs(redis.call('ZRANGE', key.ready(queue, priority), 0, limit - 1)) do
      local job = load_job(id)
      move(job, 'launching', 'claim', {epoch = epoch, claimed_at = now, reason = ''}, now)
      limit = limit - 1
      reply[#reply + 1] = id
    end
  end
end
return reply
