-- The time by which all verbs go: Redis TIME in ms. OFFSET is 0 except in tests.
local OFFSET = tonumber(ARGV[1])

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + OFFSET
end
