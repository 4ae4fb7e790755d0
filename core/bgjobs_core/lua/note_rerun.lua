-- note_rerun: Notes in the history of a job that it was run again as another one.
--@ job_id  text       the job that was run again
--@ by      text(253)  who wanted it
--@ new_id  text       the new job
--> did  noted|same|missing  same: the latest note says so already; missing: there is no such job
local job = load_job(job_id)
if not job then return {'missing'} end
local latest = redis.call('LINDEX', key.history(job_id), -1)
local what, who, as = string.match(latest or '', '^%d+\n(.-)\n(.-)\n(.*)$')
if what == 'rerun' and who == by and as == new_id then return {'same'} end
even_if_full()
remember(job, 'rerun', by, new_id, now_ms())
redis.call('INCR', key.seq())
return {'noted'}
