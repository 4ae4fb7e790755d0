-- unblock: Tells the children of what has ended how it did; who waits for nothing else goes on, or is cancelled.
-- Namespaces take turns, and in a namespace the ended jobs and batches do, so that one with very many children does not
-- hold up others. A child that is paused hears of it too, and stays paused. An id that is no open child, or whose record
-- cannot be read, is dropped. A job that cannot be read counts as one that is lost.
--@ limit  whole=20  how many children at most; one that needs many jobs counts as several
--> told     whole   how many children have heard of an end
--> more     yes|no  yes: others are to hear of one
--> dropped  whole   how many ids were dropped
local now = now_ms()
local told, dropped, left = 0, 0, limit
even_if_full()

local function tell(child_id, parent, ended, failure)
  left = left - 1
  local child = load_job(child_id)
  local name = key.needs(child_id)
  if not child or not child.needs or TERMINAL[child.state] or redis.call('HGET', name, parent) ~= '' then
    redis.call('ZREM', key.children(parent), child_id)
    dropped = dropped + 1
    return
  end
  told, left = told + 1, left - math.floor(tonumber(child.needs) / 20)
  redis.call('HSET', name, parent, ended)
  local open = redis.call('HINCRBY', name, 'open', -1)
  redis.call('ZADD', key.children(parent), 1, child_id)
  if not WAITING[child.state] then return end
  if failure and child.on_parent_failure ~= 'run' then
    move(child, STATE.cancelled, {
      outcome = failure.outcome, reason = failure.reason, paused_by = false, paused_at = false, note = false,
    }, now)
  elseif open <= 0 and child.state == STATE.blocked then
    local to, changes = waiting_state(child, now)
    move(child, to, changes, now)
  end
end

-- How a job or a batch has ended, and what becomes of a child that is to be cancelled because of that.
local function how_it_ended(parent_id)
  local parent = load_job(parent_id)
  if not parent and namespace_of_batch(parent_id) then
    local state, failure = end_of_batch(parent_id)
    return state and state .. '/', failure
  end
  if parent and not TERMINAL[parent.state] then return nil end
  local state, outcome = STATE.failed, OUTCOME.lost
  if parent then state, outcome = parent.state, parent.outcome end
  return state .. '/' .. (outcome or ''), state ~= STATE.succeeded and failed_with(parent_id, state, outcome) or nil
end

local function tell_of(namespace, parent_id)
  local ended, failure = how_it_ended(parent_id)
  if ended then
    for _, child_id in ipairs(redis.call('ZRANGE', key.children(parent_id), 0, 0, 'BYSCORE', 'LIMIT', 0, left)) do
      tell(child_id, parent_id, ended, failure)
      if left <= 0 then break end
    end
    if redis.call('ZCOUNT', key.children(parent_id), 0, 0) > 0 then
      redis.call('ZADD', key.unblocking(namespace), next_turn(), parent_id)
      return
    end
  end
  drop_from_unblocking(namespace, parent_id)
end

while left > 0 do
  local namespace = redis.call('ZRANGE', key.unblockings(), 0, 0)[1]
  if not namespace then break end
  local parent_id = redis.call('ZRANGE', key.unblocking(namespace), 0, 0)[1]
  if parent_id then
    tell_of(namespace, parent_id)
    redis.call('ZADD', key.unblockings(), 'XX', next_turn(), namespace)
  else
    redis.call('ZREM', key.unblockings(), namespace)
  end
  left = left - 1
end
return {told, redis.call('EXISTS', key.unblockings()) == 1 and 'yes' or 'no', dropped}
