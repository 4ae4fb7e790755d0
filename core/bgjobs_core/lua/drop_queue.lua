-- drop_queue: Forgets the settings of a queue whose object is gone, and notes since when.
-- Its jobs stay and wait, until `disown` ends them.
--@ queue  text  as namespace/name
--> did  dropped|missing  missing: there are no settings of such a queue
local uid = redis.call('HGET', key.queue(queue), 'uid') or ''
if redis.call('DEL', key.queue(queue)) == 0 then return {'missing'} end
redis.call('DEL', key.endings(queue))
forget_keys(queue, uid)
redis.call('SREM', key.queues(), queue)
redis.call('ZADD', key.gone(), now_ms(), queue)
redis.call('INCR', key.seq())
return {'dropped'}
