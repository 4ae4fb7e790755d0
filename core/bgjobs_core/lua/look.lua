-- look: Counts that the leader has looked at Redis.
-- Nothing else changes this number. So a Redis that was put back from a copy has an older one, also when others have
-- written more to it since than was lost.
--! called by Leading.look
--@ epoch  text  the leader's token
--> did  noted|not_leader  not_leader: another one leads by now
if redis.call('GET', key.epoch()) ~= epoch then return {'not_leader'} end
even_if_full()
redis.call('INCR', key.looks())
return {'noted'}
