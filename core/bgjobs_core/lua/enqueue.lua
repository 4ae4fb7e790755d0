-- enqueue: Adds new jobs which have everything in common that their digest names; each is due now or later.
-- The caller makes the ids. The same id with the same digest is the same job, so an enqueue can be sent twice. Redis
-- refuses this verb when its memory is full, before anything is written.
--! called by Enqueueing.enqueue_many
--@ spec    text    digest of what the jobs have in common
--@ rules   text    the version of the queue's settings by which the jobs were admitted; "" to admit them whatever it is
--@ at      whole?  since when the jobs are there, in Unix ms; nil: since now
--@ shared  fields  that itself: queue, class and so on
--@ jobs    tables  each with `id`, `digest` (of what was asked for), `payload`, `delay_ms`, `not_before_ms` (a Unix time
--    before which it is not due; the later of the two holds), perhaps `expires_ms` (after which it is cancelled if it has
--    not started), `paused_by` (then it is paused from the start) or `needs` (ids of jobs that must end first, with blanks
--    between them), and with all other fields of its record
--> did     text*   for each job: `created`, `exists` (it was there already), `conflict` (the id is that of another job),
--    `too_many_classes` (the namespace has too many different queues, states and classes), `other_rules` (the queue has
--    other settings by now, or is gone) or `no_parent` (a job that it needs is not there)
--> states  text*   for each job its state after the verb; "" if there is none
--> missing  text*  for each job the ids of those that it needs and that are not there, with blanks between them
--> now     whole   Redis TIME in ms
local now = now_ms()
local did, states, missing = {}, {}, {}
local namespace, records_ms = namespace_of(shared.queue), tonumber(shared.records_ms)
local has_other_rules = rules ~= '' and redis.call('HGET', key.queue(shared.queue), 'version') ~= rules
local is_crowded = redis.call('ZCARD', key.cells(namespace)) >= LIMIT.cells

-- The jobs that a new one needs, each with its state and outcome, and the ids of those that are not there.
local function look_at_parents(needs)
  local found, missed = {}, {}
  for parent in string.gmatch(needs, '%S+') do
    local there = redis.pcall('HMGET', key.job(parent), 'state', 'outcome', 'spec')
    if there[1] and there[3] and shared_of(there[3]).namespace == namespace then
      found[#found + 1] = {id = parent, state = there[1], outcome = there[2] or ''}
    else
      missed[#missed + 1] = parent
    end
  end
  return found, missed
end

-- Notes how each parent has ended, and with those that a child is for which it is not too late already.
local function join(id, parents, open, is_too_late)
  local fields = {'open', open}
  for _, parent in ipairs(parents) do
    local has_ended = TERMINAL[parent.state]
    fields[#fields + 1] = parent.id
    fields[#fields + 1] = has_ended and parent.state .. '/' .. parent.outcome or ''
    if not is_too_late then redis.call('ZADD', key.children(parent.id), has_ended and 1 or 0, id) end
  end
  redis.call('HSET', key.needs(id), unpack(fields))
end

local function place(new)
  local id = new.id
  local there = redis.call('HMGET', key.job(id), 'digest', 'state')
  if there[1] then return there[1] == new.digest and 'exists' or 'conflict', there[2] end
  if has_other_rules then return 'other_rules', '' end
  local parents, missed = look_at_parents(new.needs or '')
  if #missed > 0 then return 'no_parent', '', table.concat(missed, ' ') end
  local since = at or now
  local not_before = math.max(since + tonumber(new.delay_ms), tonumber(new.not_before_ms))
  local job = {id = id, queue = shared.queue, class = shared.class, records_ms = records_ms, rev = '0', state = NEW}
  job.namespace, job.queue_uid = namespace, shared.queue_uid or ''
  local to, changes = STATE.queued, {spec = spec, digest = new.digest, created_at = since}
  if not_before > now then
    to, changes.not_before = STATE.scheduled, not_before
  else
    changes.queued_at = since
  end
  if new.expires_ms then changes.start_by = since + tonumber(new.expires_ms) end
  if new.paused_by then to, changes.paused_at, changes.queued_at = STATE.paused, since, nil end
  local open, failure = 0, nil
  for _, parent in ipairs(parents) do
    if not TERMINAL[parent.state] then
      open = open + 1
    elseif parent.state ~= STATE.succeeded and new.on_parent_failure ~= 'run' then
      failure = failure or failed_with(parent.id, parent.state, parent.outcome)
    end
  end
  if failure then
    to, changes.outcome, changes.reason = STATE.cancelled, failure.outcome, failure.reason
    changes.paused_at, changes.queued_at, new.paused_by = nil, nil, nil
  elseif open > 0 and to ~= STATE.paused then
    to, changes.queued_at = STATE.blocked, nil
  end
  if #parents > 0 then new.needs = #parents end
  local payload = new.payload
  new.id, new.payload, new.delay_ms, new.not_before_ms, new.expires_ms = nil, nil, nil, nil, nil
  for field, value in pairs(new) do changes[field] = value end
  if is_crowded then
    local cell = cell_of({queue = job.queue, class = job.class, state = to, priority = new.priority})
    if not redis.call('ZSCORE', key.cells(namespace), cell) then return 'too_many_classes', '' end
  end
  -- The first write adds, so a full Redis refuses the script before anything is changed.
  redis.call('SET', key.payload(id), payload)
  if redis.call('HINCRBY', key.spec(spec), 'jobs', 1) == 1 then write_hash(key.spec(spec), shared) end
  if #parents > 0 then join(id, parents, open, failure) end
  move(job, to, changes, now)
  return 'created', to
end

for i, new in ipairs(jobs) do
  local missed
  did[i], states[i], missed = place(new)
  missing[i] = missed or ''
end
return {did, states, missing, now}
