-- The leader's work lists: for each namespace one of the jobs of a state, and the scheduled ones under one parent, which
-- says of each namespace when its first job becomes due.

-- The parent, after a job has left the list of a namespace, or an id without a job was dropped from it.
local function first_due(namespace)
  local first = redis.call('ZRANGE', key.due(namespace), 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', key.dues(), first[2], namespace)
  else
    redis.call('ZREM', key.dues(), namespace)
  end
end

local function leave_list(job)
  local index = work_list(job, job.state)
  if not index then return end
  redis.call('ZREM', index, job.id)
  if job.state == STATE.scheduled then first_due(job.namespace) end
end

local function enter_list(job)
  local index, score = work_list(job, job.state)
  if not index then return end
  redis.call('ZADD', index, score, job.id)
  if job.state ~= STATE.scheduled then return end
  local due = redis.call('ZRANGE', key.dues(), 0, 0, 'WITHSCORES')
  redis.call('ZADD', key.dues(), 'LT', score, job.namespace)
  if not due[2] or tonumber(score) < tonumber(due[2]) then wake('dispatch', 'due') end
end
