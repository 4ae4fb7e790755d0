-- lead: Makes the caller the leader.
-- From now on the verbs of the leader before are refused, because their token is no longer the one in the store. The
-- first leader of an empty store gives it its layout and its id, by which a store that was exchanged or emptied is
-- recognised.
--! called by Leading.lead
--@ epoch     text  the new leader's random token
--@ store_id  text  a random id for the store; not used if it has one already
--> store_id  text   the store's id
--> seq       whole  how many writes the store has seen
even_if_full()
redis.call('SET', key.layout(), LAYOUT)
redis.call('SET', key.store_id(), store_id, 'NX')
redis.call('SET', key.epoch(), epoch)
return {redis.call('GET', key.store_id()), redis.call('INCR', key.seq())}
