-- keep_stack: The runner says what the process of a job does, for somebody who has wished to know.
-- It is kept for as long as somebody may look at it, and not longer. Sent again, it is not kept again.
--@ job_id   text   the job
--@ pod_uid  text   the pod that speaks
--@ attempt  whole  the attempt that it runs
--@ number   whole  of the wish
--@ words    text   the stacks
--> did  recorded|go_away  go_away: this pod does not run the current attempt
local job = redis.call('HMGET', key.job(job_id), 'state', 'attempt')
local found = redis.call('HMGET', key.attempt(job_id, attempt), 'pod_uid', 'ended_at')
if job[1] ~= STATE.launched and job[1] ~= STATE.stopping then return {'go_away'} end
if tonumber(job[2]) ~= attempt or found[1] ~= pod_uid or found[2] then return {'go_away'} end
local name = key.stack(job_id)
local wish = redis.call('HMGET', name, 'number', 'taken_at')
if tonumber(wish[1] or '0') == number and not wish[2] then
  write_hash(name, {taken_at = now_ms(), text = words})
  redis.call('EXPIRE', name, LIMIT.stack_seconds)
end
return {'recorded'}
