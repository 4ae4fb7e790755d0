-- schedule_wish: Says what the operator shall do with a schedule.
-- It suspends or resumes the object, or takes note of a job that was run by hand. The latest wish to suspend or resume
-- holds. Jobs that were run by hand are all kept, up to 50 of them: each counts for the schedule's concurrency policy.
--@ schedule  text        as namespace/name
--@ suspend   text(1)?    "1" to suspend it, "0" to resume it
--@ by        text(253)?  who wishes that
--@ ran       text(36)?   id of a job that was run by hand
--> did  wished|missing  missing: no such schedule is known, and nothing is written
local name = key.schedule(schedule)
if redis.call('EXISTS', name) == 0 then return {'missing'} end
local runs = ran
local before = ran and redis.call('HGET', name, 'wish_ran')
if before then
  local known = string.find(' ' .. before .. ' ', ' ' .. ran .. ' ', 1, true)
  runs = known and before or before .. ' ' .. ran
  while #runs > LIMIT.runs_bytes do runs = string.match(runs, ' (.*)') end
end
even_if_full()
write_hash(name, {wish_suspend = suspend, wish_by = by, wish_ran = runs})
redis.call('SADD', key.wished(), schedule)
redis.call('INCR', key.seq())
wake('schedule')
return {'wished'}
