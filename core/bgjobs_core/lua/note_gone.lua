-- note_gone: Notes that a queue is gone, of which nothing was known, or forgets that it was.
--@ queue  text  as namespace/name
--@ what   gone|forgotten  gone: it counts from now on; forgotten: no job waits for it any more
--> did  noted|kept  kept: there is such a queue, or it was noted before
if redis.call('EXISTS', key.queue(queue)) == 1 then return {'kept'} end
if what == 'forgotten' then
  redis.call('ZREM', key.gone(), queue)
  return {'noted'}
end
if redis.call('ZADD', key.gone(), 'NX', now_ms(), queue) == 0 then return {'kept'} end
return {'noted'}
