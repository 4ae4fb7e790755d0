-- What people have done with a job, the latest last: its time, the verb, who and why, each on a line of its own. A job
-- with which nobody has done anything has none.
local function remember(job, what, by, note, now)
  local name = key.history(job.id)
  redis.call('RPUSH', name, table.concat({text(now), what, (string.gsub(by, '\n', ' ')), note}, '\n'))
  redis.call('LTRIM', name, -LIMIT.history, -1)
end
