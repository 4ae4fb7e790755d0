-- settled: The status of the job's request now says what the record said at this revision.
--@ job_id  text   the job
--@ rev     whole  the revision of the record that was written into the status
--> did  settled|dirty  dirty: the record has changed since, so its status is to be written again
local found = redis.call('HGET', key.job(job_id), 'rev')
if found and tonumber(found) ~= rev then return {'dirty'} end
redis.call('ZREM', key.dirty(), job_id)
return {'settled'}
