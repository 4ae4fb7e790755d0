-- put_queue: Writes the settings of a queue as they were last seen in its object.
-- An object with another UID than before is another queue: jobs of the earlier one are not its jobs.
--! called by Leading.put_queue
--@ queue   text    as namespace/name
--@ fields  fields  the settings, and the UID of the object as `uid`
--> did  put|same  same: the store has these settings already, and nothing is written
local old = load_hash(key.queue(queue)) or {}
local changed = false
for field, value in pairs(fields) do
  if old[field] ~= value then changed = true end
end
if not changed then return {'same'} end
even_if_full()
local function is_other(field) return old[field] ~= fields[field] end
-- Also where this queue comes back after it was dropped: meanwhile nobody knew which keys a free slot lets go on.
if is_other('uid') or is_other('max_per_key') or is_other('key_starts') or is_other('key_span_ms') then
  open_all_keys(queue, fields.uid)
end
if old.uid ~= fields.uid then
  if old.uid then forget_keys(queue, old.uid) end
  fields.since = now_ms()
  wake('orphans')
end
write_hash(key.queue(queue), fields)
redis.call('SADD', key.queues(), queue)
redis.call('ZREM', key.gone(), queue)
redis.call('INCR', key.seq())
wake('dispatch', queue)
return {'put'}
