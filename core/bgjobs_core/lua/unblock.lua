-- unblock: Tells the children of what has ended how it did; who waits for nothing else goes on, or is cancelled.
-- Namespaces take turns, and in a namespace the ended jobs and batches do, so that one with very many children does not
-- hold up others. A child that is paused hears of it too, and stays paused. An id that is no open child, or whose record
-- cannot be read, is dropped. A job that cannot be read counts as one that is lost.
--@ limit  whole=12  how much is done at most: a child that goes on is one, and so is a parent that is looked at; a child
--    that ends is two, and one more for each ten jobs that it needs
--> told     whole   how many children have heard of an end
--> more     yes|no  yes: others are to hear of one
--> dropped  whole   how many ids were dropped
local ENDING, PARENTS = 1, 10 -- what it costs more to end a child, and for how many of its parents it is one more
local now = now_ms()
local told, dropped, left = 0, 0, limit
even_if_full()

local function tell(child_id, parent, ended, failure)
  left = left - 1
  local child = load_job(child_id)
  local name = key.needs(child_id)
  local known = child and child.needs and not TERMINAL[child.state] and redis.call('HMGET', name, parent, 'open')
  if not known or known[1] ~= '' then
    redis.call('ZREM', key.children(parent), child_id)
    dropped = dropped + 1
    return
  end
  told = told + 1
  local open = tonumber(known[2] or '0') - 1
  redis.call('HSET', name, parent, ended, 'open', open)
  if failure and WAITING[child.state] and child.on_parent_failure ~= 'run' then
    left = left - ENDING - math.floor(tonumber(child.needs) / PARENTS)
    move(child, STATE.cancelled, {
      outcome = failure.outcome, reason = failure.reason, paused_by = false, paused_at = false, note = false,
    }, now)
    return
  end
  redis.call('ZADD', key.children(parent), 1, child_id)
  if open <= 0 and child.state == STATE.blocked then
    local to, changes = waiting_state(child, now, open)
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
