-- ask_stack: Notes that somebody wants to see the stacks of a job that runs.
-- Its runner hears of that in the reply to its next beat, and beats more often meanwhile. A wish that is still open is not
-- made twice, unless it was made a while ago: what was sent to it may be lost. What an earlier wish has brought is dropped.
--@ job_id  text  the job
--> did     asked|same|kept|missing  same: such a wish is open; kept: no attempt of the job runs; missing: there is no
--    such job
--> number  whole  of the wish; 0 if there is none
--> state   text   the job's state; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', 0, ''} end
local latest = latest_attempt(job, 'ended_at')
if (job.state ~= STATE.launched and job.state ~= STATE.stopping) or not latest or latest[1] then
  return {'kept', 0, job.state}
end
local name, now = key.stack(job_id), now_ms()
local before = redis.call('HMGET', name, 'number', 'attempt', 'asked_at', 'taken_at')
local number = tonumber(before[1] or '0')
local is_open = before[1] and before[2] == job.attempt and not before[4]
redis.call('SET', key.watched(job_id), 1, 'EX', LIMIT.watched_seconds)
if is_open and now - tonumber(before[3]) < LIMIT.stack_open_ms then return {'same', number, job.state} end
number = number + 1
write_hash(name, {number = number, attempt = job.attempt, asked_at = now, taken_at = false, text = false})
redis.call('EXPIRE', name, LIMIT.stack_seconds)
return {'asked', number, job.state}
