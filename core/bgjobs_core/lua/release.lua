-- release: What waits may be launched again, although Redis was older than the world.
--> did  released|nothing  nothing: nothing was held
if redis.call('EXISTS', key.hold()) == 0 then return {'nothing'} end
redis.call('DEL', key.hold())
redis.call('INCR', key.seq())
wake('dispatch')
return {'released'}
