-- signing_key: Gives the key by which previews of bulks are signed, which all replicas share.
-- It is made once. Without it, as after Redis was emptied, earlier previews are good for nothing.
--@ candidate  text  a new random key, which is kept if there is none
--> found  text   the key
--> now    whole  Redis TIME in ms
local name = key.bulk_key()
local there = redis.call('GET', name)
if there then return {there, now_ms()} end
even_if_full()
redis.call('SET', name, candidate)
redis.call('INCR', key.seq())
return {candidate, now_ms()}
