-- report: what an operator says of itself, until it is forgotten. The leader's word and that of one who waits are apart.
-- ARGV: offset, role, pod, ms to remember it (0: forget it, if it is this pod's), epoch ("" for one who waits), then
-- pairs of field and value. Returns {told | withdrawn | kept | not_leader}.
local name = key.operator(ARGV[2])
if ARGV[4] == '0' then
  if redis.call('HGET', name, 'pod') ~= ARGV[3] then return {'kept'} end
  redis.call('DEL', name)
  return {'withdrawn'}
end
if ARGV[5] ~= '' and redis.call('GET', key.epoch()) ~= ARGV[5] then return {'not_leader'} end
redis.call('DEL', name)
redis.call('HSET', name, 'pod', ARGV[3], unpack(ARGV, 6))
redis.call('PEXPIRE', name, ARGV[4])
return {'told'}
