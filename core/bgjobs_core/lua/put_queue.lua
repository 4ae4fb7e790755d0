-- put_queue: Writes the settings of a queue as they were last seen in its object.
--! called by Leading.put_queue
--@ queue   text    as namespace/name
--@ fields  fields  the settings
--> did  put|same  same: the store has these settings already, and nothing is written
local old = load_hash(key.queue(queue)) or {}
local changed = false
for field, value in pairs(fields) do
  if old[field] ~= value then changed = true end
end
if not changed then return {'same'} end
even_if_full()
write_hash(key.queue(queue), fields)
redis.call('SADD', key.queues(), queue)
redis.call('INCR', key.seq())
wake('dispatch')
return {'put'}
