-- schedule_wish: Says what the operator shall do with a schedule.
-- It suspends or resumes the object, or takes note of a job that was run by hand. The latest wish holds. A schedule has room for one of each, so that there are never more of them than schedules.
--@ schedule  text        as namespace/name
--@ suspend   text(1)?    "1" to suspend it, "0" to resume it
--@ by        text(253)?  who wishes that
--@ ran       text(36)?   id of a job that was run by hand
--> did  wished|missing  missing: no such schedule is known, and nothing is written
local name = key.schedule(schedule)
if redis.call('EXISTS', name) == 0 then return {'missing'} end
even_if_full()
write_hash(name, {wish_suspend = suspend, wish_by = by, wish_ran = ran})
redis.call('SADD', key.wished(), schedule)
redis.call('INCR', key.seq())
wake('schedule')
return {'wished'}
