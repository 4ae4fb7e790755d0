-- settled: The status of the job's request now says what the record said at this revision.
--@ job_id  text   the job
--@ rev     whole  the revision of the record that was written into the status
--> did  settled|dirty|missing  dirty: the record has changed since, so its status is to be written again; missing: there
--    is no such job
local job = load_job(job_id)
if not job then return {'missing'} end
if tonumber(job.rev) ~= rev then return {'dirty'} end
redis.call('ZREM', key.dirty(job.namespace), job_id)
return {'settled'}
