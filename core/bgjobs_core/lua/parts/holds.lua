-- Holds: what people hold by what it is. `holds` of a namespace has for each of them a text of lines: the time at which
-- it ends, since when it is there, the pattern of class and method, why, what Python reads, and then the labels as they
-- stand in a record. End and pattern are empty if there are none. A hold says nothing to a job before it is its turn: then it is set
-- aside, and goes back into its lane when the hold is over. It stays `queued` all the time.

-- Nil if it cannot be read: nobody may be held up by that.
local function read_hold(id, said)
  local lines = {}
  for line in string.gmatch(said .. '\n', '(.-)\n') do lines[#lines + 1] = line end
  if not lines[5] then return nil end
  return {id = id, ends = tonumber(lines[1]), pattern = lines[3], why = lines[4], labels = {unpack(lines, 6)}}
end

-- A hold with another end.
local function with_end(said, at) return text(at) .. (string.match(said, '\n.*$') or '') end

local function is_over(hold, now) return hold and hold.ends and hold.ends <= now end

-- The holds of a namespace that are not over.
local function holds_of(namespace, now)
  local flat, found = redis.call('HGETALL', key.holds(namespace)), {}
  for i = 1, #flat, 2 do
    local hold = read_hold(flat[i], flat[i + 1])
    if hold and not is_over(hold, now) then found[#found + 1] = hold end
  end
  return found
end

-- `bgjobs_core.jobs.holds` says the same.
local function is_meant(pattern, job)
  if pattern == '' or pattern == job.class then return true end
  local found = shared[job.spec]
  found.method = found.method or redis.call('HGET', key.spec(job.spec), 'method') or ''
  local whole = job.class .. '.' .. found.method
  if string.sub(pattern, -2) == '.*' then return string.sub(whole, 1, #pattern - 1) == string.sub(pattern, 1, -2) end
  return pattern == whole
end

-- The hold that holds a job; nil if none does.
local function hold_on(job, holds)
  for _, hold in ipairs(holds) do
    local is_held = is_meant(hold.pattern, job)
    for _, label in ipairs(hold.labels) do
      is_held = is_held and string.find(job.labels or '', label, 1, true)
    end
    if is_held then return hold end
  end
  return nil
end

-- Takes a queued job out of its lane.
local function put_aside(job, hold, now)
  leave_lane(job)
  write_job(job, {hold = hold.id, reason = hold.why}, now)
  redis.call('ZADD', lane_of(job), job.queued_at, job.id)
  redis.call('ZADD', key.holding(hold.id), 'NX', next_turn(), home(job.queue, job.queue_uid))
  count_ready(job.queue, job.queue_uid, 1)
end

-- Puts a job back into its lane, in the place that it had.
local function take_back(job, now)
  leave_lane(job)
  write_job(job, {hold = false, reason = false}, now)
  enter_lane(job)
end
