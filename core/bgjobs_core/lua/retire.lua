-- retire: what has ended is dropped, first its KubeJob (by the caller, who then says so), later the record.
-- ARGV: offset, id, stage (kube_job | record). Returns {retired | kept | missing}. A record is kept while its KubeJob
-- is not retired, its time has not come, or its request does not say how it ended.
local id, stage = ARGV[2], ARGV[3]
local job = load_job(id)
if not job then
  redis.call('ZREM', key.ended(), id)
  redis.call('ZREM', key.expiring(), id)
  redis.call('ZREM', key.dirty(), id)
  return {'missing'}
end
if not TERMINAL[job.state] then return {'kept'} end
if stage == 'kube_job' then
  redis.call('ZREM', key.ended(), id)
  return {'retired'}
end
local due = redis.call('ZSCORE', key.expiring(), id)
if not due or tonumber(due) > now_ms() then return {'kept'} end
if redis.call('ZSCORE', key.ended(), id) or redis.call('ZSCORE', key.dirty(), id) then return {'kept'} end
redis.call('ZREM', key.expiring(), id)
redis.call('ZREM', key.by_namespace(job.namespace), id)
redis.call('ZREM', key.by_state(job.namespace, job.state), id)
redis.call('ZREM', key.by_queue(job.queue), id)
for number = 1, tonumber(job.attempt) do
  redis.call('UNLINK', key.attempt(id, number), key.log_head(id, number), key.log_tail(id, number))
end
redis.call('UNLINK', key.job(id))
redis.call('INCR', key.seq())
return {'retired'}
