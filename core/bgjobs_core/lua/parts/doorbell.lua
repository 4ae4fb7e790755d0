-- Rings the doorbell of one loop of the leader, at most once in a script. It carries nothing that is needed: each loop
-- reads the truth.
local rung = {}

local function wake(loop)
  if rung[loop] then return end
  rung[loop] = true
  redis.call('XADD', key.wake(), 'MAXLEN', '~', '100', '*', 'loop', loop)
end
