-- settled: the status of the job's request says what the record said at this rev.
-- ARGV: offset, id, rev. Returns {settled | dirty}.
local job = load_job(ARGV[2])
if job and job.rev ~= ARGV[3] then return {'dirty'} end
redis.call('ZREM', key.dirty(), ARGV[2])
return {'settled'}
