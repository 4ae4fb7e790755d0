-- set_priority: Gives a job that waits another priority.
-- A queued one goes to the lane of that priority, and keeps its place by age. The KubeJob of a job that has one keeps its
-- PriorityClass, so such a job is left as it is.
--@ job_id    text       the job
--@ priority  whole      0 is low, 1 is high
--@ by        text(253)  who wants it
--@ note      text(500)  why, in words; "" if nothing is said
--> did    set|same|kept|missing  same: it has this priority already; kept: it does not wait; missing: there is no such job
--> state  text  the job's state after the verb; "" if there is no such job
local job = load_job(job_id)
if not job then return {'missing', ''} end
if not WAITING[job.state] then return {'kept', job.state} end
if tonumber(job.priority) == priority then return {'same', job.state} end
local now = now_ms()
even_if_full()
local is_in_lane = job.state == STATE.queued and not job.hold
if is_in_lane then leave_lane(job) end
write_job(job, {priority = priority}, now)
if is_in_lane then enter_lane(job) end
remember(job, priority == 1 and 'priority high' or 'priority low', by, note, now)
return {'set', job.state}
