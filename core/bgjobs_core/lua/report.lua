-- report: Keeps what an operator says of itself for a while.
-- It replaces what the operator of the same role said before. What the leader says and what a waiting operator says are
-- kept apart.
--! called by Leading.report
--@ role         text    leading or waiting
--@ pod          text    name of the operator's pod
--@ remember_ms  whole   how long it is kept
--@ epoch        text?   the leader's token; nil for an operator that waits
--@ fields       fields  what it says
--> did  told|not_leader  not_leader: another one leads by now, and nothing is written
if epoch and redis.call('GET', key.epoch()) ~= epoch then return {'not_leader'} end
local name = key.operator(role)
redis.call('DEL', name)
fields.pod = pod
write_hash(name, fields)
redis.call('PEXPIRE', name, remember_ms)
return {'told'}
