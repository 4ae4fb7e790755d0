-- beat: A running attempt reports its progress, its checkpoint and the next piece of its log.
-- The log of an attempt is kept as its first and its last mebibyte; what lies between them is dropped. A chunk
-- that is already there is not kept again, so a beat can be sent twice. A chunk of length 0 is never kept.
-- A chunk counts as the larger of what it holds and what it takes, and a fixed cost with it: a thousand chunks of one byte
-- take more of Redis than one chunk of a thousand bytes.
-- When Redis is full, nothing of a beat is kept, and it is answered all the same: the order to stop must arrive then too.
--! called by Running.beat
--@ job_id        text    the job
--@ pod_uid       text    the pod that speaks
--@ attempt       whole   the attempt that it runs
--@ chunk_offset  whole?  where the chunk begins in the log, in bytes before compression; nil if there is no chunk
--@ chunk_length  whole   how many bytes of the log the chunk holds before compression
--@ chunk         bytes   the compressed chunk
--@ progress      text    JSON that the job code has set; "" leaves what is there
--@ checkpoint    text    JSON from which the next attempt can go on; "" leaves what is there, `null` forgets it
--@ keep_seconds  whole   how long the log is kept
--> action       continue|stop|go_away  stop: the job is being stopped; go_away: this is not the current attempt
--> next_offset  whole   up to where the log has arrived; 0 with go_away
--> kept         yes|no  no: Redis is full, and neither the chunk, nor the progress, nor the checkpoint was kept
local job = redis.call('HMGET', key.job(job_id), 'state', 'attempt')
-- No more is read: a beat is the most frequent of all calls.
local state = job[1]
if state ~= STATE.launched and state ~= STATE.stopping then return {'go_away', 0, 'yes'} end
local name = key.attempt(job_id, attempt)
local current = redis.call('HMGET', name, 'pod_uid', 'ended_at', 'log_next', 'log_head', 'log_tail')
if tonumber(job[2]) ~= attempt or current[1] ~= pod_uid or current[2] then return {'go_away', 0, 'yes'} end
local next_offset = tonumber(current[3] or '0')
local is_new = chunk_offset and chunk_length > 0 and chunk_offset >= next_offset
local kept = 'yes'
if is_new or progress ~= '' or checkpoint ~= '' then
  -- This writes nothing, because the field is there; a full Redis refuses it as it would refuse what follows.
  local asked = redis.pcall('HSETNX', name, 'number', attempt)
  if type(asked) == 'table' and asked.err then
    if not string.find(asked.err, 'OOM', 1, true) then return asked end
    kept = 'no'
  end
end
if is_new and kept == 'yes' then
  local log_head, log_tail = key.log_head(job_id, attempt), key.log_tail(job_id, attempt)
  local head, tail = tonumber(current[4] or '0'), tonumber(current[5] or '0')
  local entry = text(chunk_offset) .. ' ' .. text(chunk_length) .. '\n' .. chunk
  local cost = cost_of_chunk(chunk_length, #entry)
  next_offset = chunk_offset + chunk_length
  -- What the tail held may have expired while the job was quiet.
  if tail > 0 and redis.call('EXISTS', log_tail) == 0 then tail = 0 end
  if tail == 0 and head + cost <= LIMIT.log_head_bytes then
    head = head + cost
    redis.call('RPUSH', log_head, entry)
    redis.call('EXPIRE', log_head, keep_seconds)
  else
    tail = tail + cost
    redis.call('RPUSH', log_tail, entry)
    redis.call('EXPIRE', log_tail, keep_seconds)
    redis.call('EXPIRE', log_head, keep_seconds)
    while true do
      local first = redis.call('LINDEX', log_tail, 0)
      local oldest = cost_of_chunk(tonumber(string.match(first, '^%d+ (%d+)\n')), #first)
      if tail - oldest < LIMIT.log_tail_bytes then break end
      redis.call('LPOP', log_tail)
      tail = tail - oldest
    end
  end
  write_hash(name, {log_next = next_offset, log_head = head, log_tail = tail})
end
if progress ~= '' and kept == 'yes' then redis.call('SET', key.progress(job_id), progress) end
if kept == 'yes' then keep_checkpoint(job_id, checkpoint) end
if state == STATE.stopping then return {'stop', next_offset, kept} end
return {'continue', next_offset, kept}
