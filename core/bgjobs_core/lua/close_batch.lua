-- close_batch: Says that a batch has all of its jobs, so that it ends when these have ended.
-- No job can come into it any more.
--@ batch_id  text  the batch
--> did  closed|same|missing  same: it was closed before; missing: there is no such batch
local namespace = namespace_of_batch(batch_id)
if not namespace then return {'missing'} end
if redis.call('HEXISTS', key.batch(batch_id), 'closed_at') == 1 then return {'same'} end
local now = now_ms()
even_if_full()
redis.call('HSET', key.batch(batch_id), 'closed_at', text(now))
redis.call('INCR', key.seq())
tell_if_ended(batch_id, namespace, now)
return {'closed'}
