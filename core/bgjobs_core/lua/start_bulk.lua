-- start_bulk: Begins a bulk: something that is done with all jobs that a frozen filter means.
-- It is carried out by the loop `bulk`. Begun again, it is the same one. Of a namespace the latest ones are remembered.
--@ bulk_id    text    its id, which its preview has made
--@ namespace  text    of the jobs
--@ fields     fields  what is to be done with which jobs, for whom
--> did  started|exists|too_many  exists: it was begun before; too_many: the namespace has too many that are not over
local name, open, all = key.bulk(bulk_id), key.bulks_open(namespace), key.bulks(namespace)
if redis.call('EXISTS', name) == 1 then return {'exists'} end
if redis.call('ZCARD', open) >= LIMIT.open_bulks then return {'too_many'} end
local now = now_ms()
even_if_full()
local first = redis.call('ZRANGE', all, 0, LIMIT.open_bulks)
for _, id in ipairs(first) do
  local there = redis.call('EXISTS', key.bulk(id)) == 1
  local is_over = not redis.call('ZSCORE', open, id)
  if not there or (is_over and redis.call('ZCARD', all) >= LIMIT.bulks) then
    redis.call('ZREM', all, id)
    redis.call('ZREM', open, id)
    redis.call('UNLINK', key.bulk(id))
  end
end
fields.namespace, fields.state = namespace, BULK.running
fields.step, fields.done = 0, 0
fields.started_at, fields.latest_at = now, now
write_hash(name, fields)
redis.call('ZADD', all, now, bulk_id)
redis.call('ZADD', open, now, bulk_id)
keep_bulk(bulk_id, namespace)
redis.call('INCR', key.seq())
wake('bulk')
return {'started'}
