-- put_queue: the settings of a BackgroundJobQueue, as last seen.
-- ARGV: offset, queue, then pairs of field and value. Returns {put | same}.
local queue = ARGV[2]
local old = load_hash(key.queue(queue)) or {}
local fields, changed = {}, false
for i = 3, #ARGV, 2 do
  fields[ARGV[i]] = ARGV[i + 1]
  if old[ARGV[i]] ~= ARGV[i + 1] then changed = true end
end
if not changed then return {'same'} end
even_if_full()
write_hash(key.queue(queue), fields)
redis.call('SADD', key.queues(), queue)
redis.call('INCR', key.seq())
wake('dispatch')
return {'put'}
