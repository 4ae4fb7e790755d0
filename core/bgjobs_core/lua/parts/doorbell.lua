-- Rings the doorbell of one loop of the leader, at most once in a script for one thing: that of dispatch for the queue
-- that may have a job to give, or for `due`, because a job is due before all others. Without that it is for whatever there
-- is. It carries nothing that is needed: each loop reads the truth, and looks at everything now and then.
local rung = {}

local function wake(loop, what)
  local whom = loop .. ':' .. (what or '')
  if rung[whom] then return end
  rung[whom] = true
  redis.call('XADD', key.wake(), 'MAXLEN', '~', '100', '*', 'loop', loop, 'what', what or '')
end
