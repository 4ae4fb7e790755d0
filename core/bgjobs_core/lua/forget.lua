-- forget: Takes an id out of the work lists of a namespace if no job of the namespace has it.
-- So an id without a record, or with one that cannot be read, never stops who walks such a list. It does not touch what
-- is under the name of the record.
--@ namespace  text  of the lists
--@ job_id     text  the id
--> did  forgotten|kept  forgotten: no list has it any more; kept: it is the id of a job of the namespace
local job = load_job(job_id)
if job and job.namespace == namespace then return {'kept'} end
for _, list in ipairs({
  key.due(namespace), key.launching(namespace), key.launched(namespace), key.stopping(namespace), key.ended(namespace),
  key.expiring(namespace), key.dirty(namespace), key.suspending(namespace),
}) do redis.call('ZREM', list, job_id) end
first_due(namespace)
drop_from_unblocking(namespace, job_id)
return {'forgotten'}
