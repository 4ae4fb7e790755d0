-- claim: Gives free slots of one queue to the next of its jobs.
-- The limits of a queue hold: of slots in all and for each concurrency key, and of starts in a time for both. Until a
-- moment others may hold in place of those for slots and starts in all.
-- Jobs of high priority come first. Within a priority the concurrency keys take turns, and within a key the job that has
-- waited longest comes first. Each claim is a write-ahead intent: the job is `launching` before Kubernetes is asked for
-- anything. Slots are counted from the jobs that hold them, so none can be lost. A repeat after a lost reply claims what
-- is free then. No caller depends on the reply, because the launch loop reads the index of launching jobs. An id that is
-- no queued job of the lane, or whose record cannot be read, is dropped. What somebody holds is set aside. Jobs that were admitted to an earlier queue of
-- this name, with another UID, are not looked at: `disown` ends them.
--@ epoch  text   the leader's token
--@ queue  text   as namespace/name
--@ limit  whole  how many jobs at most
--@ floor  whole=0  so many writes Redis must have seen
--> did      ok|not_leader|closed|full|older|held  ok: as many as were there were claimed; not_leader: another one leads by now;
--    closed: there is no such queue, or it is paused; full: all its slots are taken;
--    older: Redis has lost writes; held: somebody must release what Redis has, because it was older than the world
--> ids      text*  the jobs that were claimed, in their order
--> dropped  whole  how many ids were dropped
--> next_at  whole?  Unix time in ms at which a rate of the queue or of a key lets another job start, or at which the queue
--    has its own limits again; nil if none waits for that
if redis.call('GET', key.epoch()) ~= epoch then return {'not_leader', {}, 0, ''} end
if tonumber(redis.call('GET', key.seq()) or 0) < floor then return {'older', {}, 0, ''} end
local may_hold = redis.call('EXISTS', key.hold(), key.holds(namespace_of(queue))) > 0
if may_hold and redis.call('EXISTS', key.hold()) == 1 then return {'held', {}, 0, ''} end
local settings = redis.call(
  'HMGET', key.queue(queue), 'max_concurrent', 'is_paused', 'uid', 'max_per_key', 'starts', 'span_ms', 'key_starts',
  'key_span_ms', 'limits_until', 'limits_max', 'limits_starts', 'limits_span_ms'
)
if not settings[1] or settings[2] == '1' then return {'closed', {}, 0, ''} end
-- A queue that was written by a version without these limits has no such fields.
local function number(value) return tonumber(value or '') end
local now, uid = now_ms(), settings[3] or ''
local ends = number(settings[9])
if ends and ends <= now then ends = nil end
local most = ends and number(settings[10]) or tonumber(settings[1])
local left = math.min(limit, most - redis.call('ZCARD', key.owned(queue)))
if left <= 0 then return {'full', {}, 0, ends or ''} end
local most_of_key = number(settings[4])
local rate = {starts = number(settings[5]), span_ms = number(settings[6])}
-- As many starts are remembered as any of the rates needs that may hold next.
local kept_starts, kept_ms = rate.starts or 0, rate.span_ms or 0
if ends and number(settings[11]) then
  rate = {starts = number(settings[11]), span_ms = number(settings[12])}
  kept_starts, kept_ms = math.max(kept_starts, rate.starts), math.max(kept_ms, rate.span_ms)
end
local rate_of_key = {starts = number(settings[7]), span_ms = number(settings[8])}
local ids, dropped, next_at = {}, 0, nil
local holds, aside = may_hold and holds_of(namespace_of(queue), now) or {}, 0
local to_look_at = left + limit -- what is dropped takes time, too

-- Until when a key may not have another slot; nil if it may.
local function shut_until(own)
  if own == '' then return nil end
  if most_of_key and redis.call('ZCARD', key.owned_by(queue, own)) >= most_of_key then return NEVER end
  return rate_of_key.starts and next_start(key.starts_by(queue, own), rate_of_key.starts, rate_of_key.span_ms, now)
end

-- Claims the oldest jobs of a lane.
local function claim_from(priority, own, count)
  local lane = key.lane(queue, uid, priority, own)
  for _, job_id in ipairs(redis.call('ZRANGE', lane, 0, count - 1)) do
    local job = load_job(job_id)
    local is_here = job and job.state == STATE.queued and lane_of(job) == lane
    local hold = is_here and hold_on(job, holds)
    to_look_at = to_look_at - 1
    if is_here and has_expired(job, now) then
      expire_job(job, now)
    elseif hold then
      put_aside(job, hold, now)
      aside = aside + 1
    elseif is_here then
      move(job, STATE.launching, {epoch = epoch, claimed_at = now, reason = false}, now)
      if rate.starts then note_start(key.starts(queue), kept_starts, kept_ms, now) end
      if rate_of_key.starts and own ~= '' then
        note_start(key.starts_by(queue, own), rate_of_key.starts, rate_of_key.span_ms, now)
      end
      ids[#ids + 1] = job_id
      left = left - 1
    else
      drop_from_lane(queue, uid, priority, own, job_id)
      dropped = dropped + 1
    end
  end
end

local function may_start()
  if left <= 0 or to_look_at <= 0 then return false end
  next_at = rate.starts and next_start(key.starts(queue), rate.starts, rate.span_ms, now)
  return not next_at
end

open_keys(queue, uid, now, LIMIT.reopened)
for priority = 1, 0, -1 do
  local turns = key.turns(queue, uid, priority)
  while may_start() do
    local first = redis.call('ZRANGE', turns, 0, 1)
    local own, is_alone = first[1], not first[2]
    if not own then break end
    local shut = shut_until(own)
    if shut then
      to_look_at = to_look_at - 1
      close_key(queue, uid, priority, own, shut)
    else
      local is_free = is_alone and not rate.starts and (own == '' or not (most_of_key or rate_of_key.starts))
      claim_from(priority, own, is_free and left or 1)
      if redis.call('EXISTS', key.lane(queue, uid, priority, own)) == 0 then
        leave_turns(turns, own)
      elseif not is_alone then
        redis.call('ZADD', turns, 'XX', next_turn(), own)
      end
    end
  end
end
-- There may be more to open than one claim opens, and more to look at than one claim looks at: then the caller comes back.
-- If that is because of held jobs, they are set aside by another verb, which then wakes the caller.
if aside > 0 and to_look_at <= 0 then
  redis.call('ZADD', key.sweeping(), 'NX', next_turn(), home(queue, uid))
  wake('holds')
elseif not next_at then
  local opens = redis.call('ZRANGE', key.closed(queue, uid), 0, 0, 'WITHSCORES')[2]
  if redis.call('EXISTS', key.reopening(queue, uid)) == 1 or to_look_at <= 0 then
    next_at = now
  elseif opens and opens ~= NEVER then
    next_at = math.max(now, tonumber(opens))
  end
end
if ends then next_at = math.min(next_at or ends, ends) end
return {'ok', ids, dropped, next_at or ''}
