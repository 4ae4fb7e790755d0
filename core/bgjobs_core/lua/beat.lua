-- beat: a running attempt reports progress and a piece of its log.
-- ARGV: offset, id, pod_uid, attempt, chunk offset ('' without a chunk), chunk length, chunk,
--       progress ('' if none), head bytes, tail bytes, seconds to keep.
-- Returns {continue | stop | go_away, next offset}. A chunk that is already there, or empty, is not kept.
local id, pod_uid, number = ARGV[2], ARGV[3], ARGV[4]
local job = load_job(id)
if not job or (job.state ~= 'launched' and job.state ~= 'stopping') then return {'go_away', 0} end
local attempt = load_attempt(job)
if not attempt or job.attempt ~= number or attempt.pod_uid ~= pod_uid or attempt.ended_at then return {'go_away', 0} end
local next_offset = tonumber(attempt.log_next or '0')
if ARGV[5] ~= '' and tonumber(ARGV[6]) > 0 and tonumber(ARGV[5]) >= next_offset then
  local offset, length = tonumber(ARGV[5]), tonumber(ARGV[6])
  local head, tail = tonumber(attempt.log_head or '0'), tonumber(attempt.log_tail or '0')
  local chunk = ARGV[5] .. ' ' .. ARGV[6] .. '\n' .. ARGV[7]
  next_offset = offset + length
  -- What the tail held may have expired while the job was quiet.
  if tail > 0 and redis.call('EXISTS', key.log_tail(id, number)) == 0 then tail = 0 end
  if tail == 0 and head + length <= tonumber(ARGV[9]) then
    head = head + length
    redis.call('RPUSH', key.log_head(id, number), chunk)
    redis.call('EXPIRE', key.log_head(id, number), ARGV[11])
  else
    tail = tail + length
    redis.call('RPUSH', key.log_tail(id, number), chunk)
    redis.call('EXPIRE', key.log_tail(id, number), ARGV[11])
    redis.call('EXPIRE', key.log_head(id, number), ARGV[11])
    while true do
      local oldest = tonumber(string.match(redis.call('LINDEX', key.log_tail(id, number), 0), '^%d+ (%d+)\n'))
      if tail - oldest < tonumber(ARGV[10]) then break end
      redis.call('LPOP', key.log_tail(id, number))
      tail = tail - oldest
    end
  end
  write_hash(key.attempt(id, number), {log_next = next_offset, log_head = head, log_tail = tail})
end
if ARGV[8] ~= '' then redis.call('HSET', key.job(id), 'progress', ARGV[8]) end
if job.state == 'stopping' then return {'stop', next_offset} end
return {'continue', next_offset}
