-- drop_queue: its object is gone. Its jobs stay and wait; a queue of that name takes them up again.
-- ARGV: offset, queue. Returns {dropped | missing}.
local queue = ARGV[2]
if redis.call('DEL', key.queue(queue)) == 0 then return {'missing'} end
redis.call('SREM', key.queues(), queue)
redis.call('INCR', key.seq())
return {'dropped'}
