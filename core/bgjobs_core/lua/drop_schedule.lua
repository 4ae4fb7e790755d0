-- drop_schedule: Forgets a schedule whose object is gone, and what is wished of it.
-- Its jobs stay.
--@ schedule  text  as namespace/name
--> did  dropped|missing  missing: no such schedule is known
if redis.call('DEL', key.schedule(schedule)) == 0 then return {'missing'} end
redis.call('SREM', key.schedules(), schedule)
redis.call('SREM', key.wished(), schedule)
redis.call('INCR', key.seq())
return {'dropped'}
