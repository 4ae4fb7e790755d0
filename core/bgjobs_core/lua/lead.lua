-- lead: a new leader; from now on the verbs of the one before are refused.
-- ARGV: offset, epoch, store id (kept if there is one already). Returns {store id, seq}.
even_if_full()
redis.call('SET', key.store_id(), ARGV[3], 'NX')
redis.call('SET', key.epoch(), ARGV[2])
return {redis.call('GET', key.store_id()), redis.call('INCR', key.seq())}
