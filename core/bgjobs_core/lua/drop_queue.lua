-- drop_queue: Forgets the settings of a queue whose object is gone.
-- Its jobs stay and wait. A queue of the same name takes them up again.
--@ queue  text  as namespace/name
--> did  dropped|missing  missing: there are no settings of such a queue
if redis.call('DEL', key.queue(queue)) == 0 then return {'missing'} end
redis.call('SREM', key.queues(), queue)
redis.call('INCR', key.seq())
return {'dropped'}
