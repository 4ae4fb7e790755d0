-- promote: Makes ready the jobs whose time has come, from all namespaces in turn.
-- A namespace whose jobs are due by the thousands does not hold up another one. An id that is no scheduled job of the
-- namespace, or whose record cannot be read, is dropped.
--@ limit  whole=20  how many jobs at most, and how many namespaces are looked at
--> promoted  whole   how many became ready
--> next_due  whole?  Unix time in ms at which the next job becomes due; None if no job is scheduled
--> now       whole   Redis TIME in ms
--> dropped   whole   how many ids were dropped
--> queues    text*   the queues in which they are ready, as namespace/name
local now = now_ms()
local promoted, dropped, queues, has = 0, 0, {}, {}

local function promote_of(namespace, count)
  local ids = redis.call('ZRANGE', key.due(namespace), '-inf', now, 'BYSCORE', 'LIMIT', 0, count)
  for _, job_id in ipairs(ids) do
    local job = load_job(job_id)
    if job and job.namespace == namespace and job.state == STATE.scheduled and tonumber(job.not_before) then
      -- Ordered by when they became due, not by when we came to look.
      move(job, STATE.queued, {queued_at = job.not_before, reason = false}, now)
      promoted = promoted + 1
      if not has[job.queue] then
        has[job.queue] = true
        queues[#queues + 1] = job.queue
      end
    else
      redis.call('ZREM', key.due(namespace), job_id)
      dropped = dropped + 1
    end
  end
  first_due(namespace)
  return #ids
end

-- Of more namespaces than a script looks at, these are others each time: the number of writes has grown meanwhile.
local function namespaces_in_turn()
  local count = redis.call('ZCOUNT', key.dues(), '-inf', now)
  local first = count > limit and tonumber(redis.call('GET', key.seq()) or '0') % count or 0
  local found = redis.call('ZRANGE', key.dues(), '-inf', now, 'BYSCORE', 'LIMIT', first, limit)
  if first + limit > count and first > 0 then
    local more = redis.call('ZRANGE', key.dues(), '-inf', now, 'BYSCORE', 'LIMIT', 0, first + limit - count)
    for _, namespace in ipairs(more) do found[#found + 1] = namespace end
  end
  return found
end

local asking, left = namespaces_in_turn(), limit
while left > 0 and #asking > 0 do
  local share, had_enough = math.max(1, math.floor(left / #asking)), {}
  for _, namespace in ipairs(asking) do
    local count = math.min(share, left)
    if count == 0 then break end
    local found = promote_of(namespace, count)
    left = left - found
    if found == count then had_enough[#had_enough + 1] = namespace end
  end
  asking = had_enough
end
local first = redis.call('ZRANGE', key.dues(), 0, 0, 'WITHSCORES')
return {promoted, first[2] and tonumber(first[2]) or '', now, dropped, queues}
