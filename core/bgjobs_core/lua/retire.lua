-- retire: Drops what is left of a job that has ended, in two stages.
-- The caller deletes the KubeJob first and says so with the stage kube_job. The stage record drops the record, its
-- texts, its attempts, its logs and its places in the indexes. What is left of an id without a record is `forget`'s.
--@ job_id  text  the job
--@ stage   kube_job|record  what is dropped
--> did  retired|kept|missing  kept: the job has not ended, its KubeJob is not retired, its time has not come, its request
--    does not say yet how it ended, or open jobs need it or its batch (then its time comes again in ten minutes, after
--    that of others); missing: there is no such job
local KEPT_FOR_CHILDREN_MS = 600000

local function has_children(id) return redis.call('EXISTS', key.children(id)) == 1 end

local job = load_job(job_id)
if not job then return {'missing'} end
if not TERMINAL[job.state] then return {'kept'} end
local ended, expiring = key.ended(job.namespace), key.expiring(job.namespace)
if stage == 'kube_job' then
  redis.call('ZREM', ended, job_id)
  return {'retired'}
end
local due = redis.call('ZSCORE', expiring, job_id)
if not due or tonumber(due) > now_ms() then return {'kept'} end
if redis.call('ZSCORE', ended, job_id) or redis.call('ZSCORE', key.dirty(job.namespace), job_id) then return {'kept'} end
-- Ten thousand jobs of one batch may be kept for weeks, so they do not stand before what can go.
if has_children(job_id) or (job.batch and has_children(job.batch)) then
  even_if_full()
  redis.call('ZADD', expiring, 'XX', now_ms() + KEPT_FOR_CHILDREN_MS, job_id)
  return {'kept'}
end
redis.call('ZREM', expiring, job_id)
drop_from_unblocking(job.namespace, job_id)
unshelve(job, cell_of(job))
for number = 1, tonumber(job.attempt or '0') do
  redis.call('UNLINK', key.attempt(job_id, number), key.log_head(job_id, number), key.log_tail(job_id, number))
end
redis.call('UNLINK', key.job(job_id), key.payload(job_id), key.result(job_id), key.progress(job_id), key.history(job_id))
redis.call('UNLINK', key.checkpoint(job_id), key.stack(job_id), key.watched(job_id))
if job.needs then redis.call('UNLINK', key.needs(job_id)) end
forget_key(job)
if job.batch then leave_batch(job.batch, job_id, job.namespace) end
if redis.call('HINCRBY', key.spec(job.spec), 'jobs', -1) == 0 then redis.call('DEL', key.spec(job.spec)) end
redis.call('INCR', key.seq())
return {'retired'}
