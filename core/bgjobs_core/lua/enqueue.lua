-- enqueue: Adds new jobs which have everything in common that their digest names; each is due now or later.
-- The caller makes the ids. The same id with the same digest is the same job, so an enqueue can be sent twice. Redis
-- refuses this verb when its memory is full, before anything is written.
--! called by Enqueueing.enqueue_many
--@ spec    text    digest of what the jobs have in common
--@ rules   text    the version of the queue's settings by which the jobs were admitted; "" to admit them whatever it is
--@ at      whole?  since when the jobs are there, in Unix ms; nil: since now
--@ shared  fields  that itself: queue, class and so on, and `batch` if they are of one
--@ jobs    tables  each with `id`, `digest` (of what was asked for), `payload`, `delay_ms`, `not_before_ms` (a Unix time
--    before which it is not due; the later of the two holds), perhaps `expires_ms` (after which it is cancelled if it has
--    not started), `paused_by` (then it is paused from the start) or `needs` (ids of jobs and batches that must end first,
--    with blanks between them), and with all other fields of its record, such as `unique_key` with `unique_mode` (`replace`
--    or `ignore`) and `unique_for_seconds`
--> did     text*   for each job: `created`, `exists` (it was there already), `returned` (another job has its unique key, and
--    none was made), `ignored` (the same, or another one was made too short a time ago), `conflict` (the id is that of
--    another job),
--    `too_many_classes` (the namespace has too many different queues, states and classes), `other_rules` (the queue has
--    other settings by now, or is gone), `no_parent` (a job or batch that it needs is not there), `batch_closed` (its batch
--    takes no more jobs), `batch_needed` (a job needs the batch already, so one that needs others itself could wait for
--    itself) or `batch_taken` (the id of the batch is that of a job, or of a batch of another namespace)
--> states  text*   for each job its state after the verb; "" if there is none. That of the other job if none was made
--> missing  text*  for each job the ids of those that it needs and that are not there, with blanks between them
--> batches  text*  for each job the batch that it is of, if they are to be of one: one that was there already may be of
--    another one; "" if it is of none
--> others  text*   for each job the id of the one that has its unique key, if none was made, or of the one that it has
--    replaced; "" if there is none
--> now     whole   Redis TIME in ms
local now = now_ms()
local did, states, missing, batches, others = {}, {}, {}, {}, {}
local namespace, records_ms, batch = namespace_of(shared.queue), tonumber(shared.records_ms), shared.batch
local has_other_rules = rules ~= '' and redis.call('HGET', key.queue(shared.queue), 'version') ~= rules
local is_crowded = redis.call('ZCARD', key.cells(namespace)) >= LIMIT.cells

-- Why no new job can come into the batch; nil if it can.
local function why_not_into_batch(has_needs)
  if not batch then return nil end
  local found = redis.pcall('HMGET', key.batch(batch), 'namespace', 'closed_at')
  if found.err or (found[1] and found[1] ~= namespace) or redis.call('EXISTS', key.job(batch)) == 1 then
    return 'batch_taken'
  end
  if found[2] then return 'batch_closed' end
  if has_needs and redis.call('EXISTS', key.children(batch)) == 1 then return 'batch_needed' end
  return nil
end

-- What was said before to whoever asked for a job that was not made: the digest of what was asked for, what has happened,
-- the id of the other job, and the state that it had; nil if nothing was.
local function answered(id)
  local found = redis.pcall('GET', key.answer(id))
  if type(found) ~= 'string' then return nil end
  local digest, what, other, state = string.match(found, '^(%S+) (%a+) (%S+) (%a+)$')
  return digest and {digest = digest, what = what, other = other, state = state} or nil
end

-- Says that no job is made because of another one, and keeps that. It adds, so a full Redis refuses it.
local function answer(new, what, other)
  local words = table.concat({new.digest, what, other.id, other.state}, ' ')
  redis.call('SET', key.answer(new.id), words, 'PX', new.request_name and records_ms or LIMIT.answer_ms)
  return what, other.state, '', '', other.id
end

-- The same that was said before. The state is that of now, as long as the other job is known.
local function answer_again(new, said)
  if said.digest ~= new.digest then return 'conflict', '' end
  local other = load_job(said.other)
  return said.what, other and other.state or said.state, '', '', said.other
end

-- A new job has got the key of one that is open: it is cancelled if it waits, and else only loses the key.
local function take_key_from(other, id, by, is_replaced)
  if not is_replaced then return touch(other, {key_taken_by = id}, now) end
  local words = 'It was replaced by the job ' .. id .. ', which has its unique key.'
  local changes = {outcome = OUTCOME.cancelled, verdict = OUTCOME.cancelled, reason = words, key_taken_by = id}
  changes.stopped_by, changes.stopped_at, changes.note = by, now, words
  changes.paused_by, changes.paused_at = false, false
  move(other, STATE.cancelled, changes, now)
end

-- The jobs and batches that a new job needs, each with how it has ended ('' if it has not) and what then becomes of a
-- child that is to be cancelled, and the ids of those that are not there.
local function look_at_parents(needs)
  local found, missed, seen = {}, {}, {}
  local function look_at(named)
    local parent = named
    local there = redis.pcall('HMGET', key.job(parent), 'state', 'outcome', 'spec')
    local said = not there[1] and answered(parent)
    if said then -- a job that was not made: another one stands for it
      parent = said.other
      there = redis.pcall('HMGET', key.job(parent), 'state', 'outcome', 'spec')
    end
    if seen[parent] then return end
    seen[parent] = true
    if there[1] and there[3] and shared_of(there[3]).namespace == namespace then
      local state, outcome = there[1], there[2] or ''
      local has_failed = TERMINAL[state] and state ~= STATE.succeeded
      found[#found + 1] = {
        id = parent, ended = TERMINAL[state] and state .. '/' .. outcome or '',
        failure = has_failed and failed_with(parent, state, outcome) or nil,
      }
    elseif namespace_of_batch(parent) == namespace then
      local state, failure = end_of_batch(parent)
      found[#found + 1] = {id = parent, ended = state and state .. '/' or '', failure = failure}
    else
      missed[#missed + 1] = named
    end
  end
  for named in string.gmatch(needs, '%S+') do look_at(named) end
  return found, missed
end

-- Notes how each parent has ended, and with those that a child is for which it is not too late already.
local function join(id, parents, open, is_too_late)
  local fields = {'open', open}
  for _, parent in ipairs(parents) do
    fields[#fields + 1] = parent.id
    fields[#fields + 1] = parent.ended
    if not is_too_late then redis.call('ZADD', key.children(parent.id), parent.ended == '' and 0 or 1, id) end
  end
  redis.call('HSET', key.needs(id), unpack(fields))
end

local function place(new)
  local id = new.id
  local there = redis.call('HMGET', key.job(id), 'digest', 'state', 'spec', 'replaced_id')
  if there[1] then
    if there[1] ~= new.digest then return 'conflict', there[2] end
    return 'exists', there[2], '', batch and shared_of(there[3] or '').batch, there[4]
  end
  local said = answered(id)
  if said then return answer_again(new, said) end
  if redis.call('EXISTS', key.batch(id)) == 1 then return 'conflict', '' end
  if has_other_rules then return 'other_rules', '' end
  local refused = why_not_into_batch(new.needs)
  if refused then return refused, '' end
  local parents, missed = look_at_parents(new.needs or '')
  if #missed > 0 then return 'no_parent', '', table.concat(missed, ' ') end
  -- One that is run again by hand is the only one at a time, but neither replaces another one nor is ignored.
  local own, mode = new.unique_key, not new.rerun_of and new.unique_mode or 'return'
  local other, is_open
  if own then other, is_open = job_with_key(namespace, own, now) end
  if other and mode == 'ignore' then return answer(new, 'ignored', other) end
  if is_open and mode == 'return' then return answer(new, 'returned', other) end
  local since = at or now
  local not_before = math.max(since + tonumber(new.delay_ms), tonumber(new.not_before_ms))
  local job = {id = id, queue = shared.queue, class = shared.class, records_ms = records_ms, rev = '0', state = NEW}
  job.namespace, job.queue_uid, job.batch = namespace, shared.queue_uid or '', batch
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
    if parent.ended == '' then
      open = open + 1
    elseif new.on_parent_failure ~= 'run' then
      failure = failure or parent.failure
    end
  end
  if failure then
    to, changes.outcome, changes.reason = STATE.cancelled, failure.outcome, failure.reason
    changes.paused_at, changes.queued_at, new.paused_by = nil, nil, nil
  elseif open > 0 and to ~= STATE.paused then
    to, changes.queued_at = STATE.blocked, nil
  end
  local takes_key = own and not failure
  local replaces = takes_key and is_open and WAITING[other.state]
  for _, parent in ipairs(parents) do
    if is_open and parent.id == other.id then replaces = false end
  end
  if replaces then changes.replaced_id = other.id end
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
  if batch then join_batch(batch, id, namespace, shared.created_by or new.created_by or '', since) end
  move(job, to, changes, now)
  if takes_key then
    redis.call('SET', key.unique(namespace, own), id)
    -- Last of all, so that it tells the new job of its end if that needs it, as one of a batch.
    if is_open then take_key_from(other, id, shared.created_by or changes.created_by or '', replaces) end
  end
  return 'created', to, '', batch, replaces and other.id
end

for i, new in ipairs(jobs) do
  local missed, its_batch, other
  did[i], states[i], missed, its_batch, other = place(new)
  missing[i], batches[i], others[i] = missed or '', its_batch or '', other or ''
end
return {did, states, missing, batches, others, now}
