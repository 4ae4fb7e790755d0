-- drop_hold: Ends a hold, so that all jobs that it held go on.
-- Those that were set aside are brought back by `let_go`.
--@ namespace  text  of the jobs
--@ hold_id    text  the hold
--> did  dropped|missing  dropped: also if it was over already, and jobs of it are still to be brought back; missing: there
--    is no such hold
local said = redis.call('HGET', key.holds(namespace), hold_id)
if not said then return {'missing'} end
local now = now_ms()
if is_over(read_hold(hold_id, said), now) then return {'dropped'} end
even_if_full()
redis.call('HSET', key.holds(namespace), hold_id, with_end(said, now))
redis.call('ZADD', key.hold_ends(), now, namespace .. '/' .. hold_id)
redis.call('INCR', key.seq())
wake('holds')
return {'dropped'}
