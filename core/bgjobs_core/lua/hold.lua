-- hold: From now on nothing is claimed, because Redis is older than the world.
-- What waits stays as it is, and new jobs are taken, until somebody releases all. A hold that is there already stays.
--@ epoch   text        the leader's token
--@ reason  text(1024)  what was found, in words
--> did  held|not_leader  not_leader: another one leads by now
if redis.call('GET', key.epoch()) ~= epoch then return {'not_leader'} end
if redis.call('EXISTS', key.hold()) == 1 then return {'held'} end
even_if_full()
write_hash(key.hold(), {since = now_ms(), reason = reason})
redis.call('INCR', key.seq())
return {'held'}
