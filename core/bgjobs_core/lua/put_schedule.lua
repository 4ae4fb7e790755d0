-- put_schedule: Writes what is known of a schedule, as the operator last saw its object.
-- Of what was wished of it, what was carried out is forgotten; a wish that came since then stays.
--! called by Leading.put_schedule
--@ schedule  text    as namespace/name
--@ suspend   text?   the wish to suspend or resume it that was carried out; nil if none was
--@ ran       text?   the jobs, run by hand, that were taken note of, as they stood there; nil if there were none
--@ fields    fields  what is known
--> did  put|same  same: the store knows this already, and nothing is written
local name = key.schedule(schedule)
local old = load_hash(name) or {}
local changes = {}
if suspend and old.wish_suspend == suspend then changes.wish_suspend, changes.wish_by = false, false end
if ran and old.wish_ran == ran then
  changes.wish_ran = false
elseif ran and old.wish_ran and string.sub(old.wish_ran, 1, #ran + 1) == ran .. ' ' then
  changes.wish_ran = string.sub(old.wish_ran, #ran + 2)
end
for field, value in pairs(fields) do
  if old[field] ~= text(value) then changes[field] = value end
end
if next(changes) == nil then return {'same'} end
even_if_full()
write_hash(name, changes)
redis.call('SADD', key.schedules(), schedule)
local left = redis.call('HMGET', name, 'wish_suspend', 'wish_ran')
if not left[1] and not left[2] then redis.call('SREM', key.wished(), schedule) end
redis.call('INCR', key.seq())
return {'put'}
