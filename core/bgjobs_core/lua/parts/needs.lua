-- Jobs that need other jobs. `needs` of a child has for each parent how it ended, as state/outcome, or '' as long as it is
-- open, and in `open` how many are. `children` of a parent has its open children: 0, or 1 once they know how it ended.

-- How many of the jobs are open that a job needs.
local function open_parents(job)
  if not job.needs then return 0 end
  return tonumber(redis.call('HGET', key.needs(job.id), 'open') or '0')
end

-- Cancels a job, or lets it be made cancelled, because of a parent: the changes that go with that.
local function failed_with(parent, state, outcome)
  local ended = state == STATE.cancelled and 'was cancelled' or 'has failed (' .. (outcome or '') .. ')'
  return {outcome = OUTCOME.cancelled, reason = 'It needs the job ' .. parent .. ', which ' .. ended .. '.'}
end

local function drop_from_unblocking(namespace, parent)
  if redis.call('ZREM', key.unblocking(namespace), parent) == 0 then return end
  if redis.call('EXISTS', key.unblocking(namespace)) == 0 then redis.call('ZREM', key.unblockings(), namespace) end
end

-- A job that has ended is no open child of any job any more.
local function leave_parents(job)
  if not job.needs then return end
  for _, parent in ipairs(redis.call('HKEYS', key.needs(job.id))) do
    if parent ~= 'open' then redis.call('ZREM', key.children(parent), job.id) end
  end
end

-- The children of a job that has ended are to hear of it. There may be many, so that is done by `unblock`.
local function tell_children(job)
  if redis.call('EXISTS', key.children(job.id)) == 0 then return end
  redis.call('ZADD', key.unblocking(job.namespace), 'NX', next_turn(), job.id)
  redis.call('ZADD', key.unblockings(), 'NX', next_turn(), job.namespace)
  wake('unblock')
end
