-- stop_bulk: Stops a bulk: what is done stays done, and no more jobs are taken.
-- The jobs that are taken already, twenty at most, are finished.
--@ bulk_id  text       the bulk
--@ by       text(253)  who stops it
--> did  BULK.stopped|same|ended|missing  same: it was stopped before; ended: it is too late; missing: there is no such bulk
local bulk = load_hash(key.bulk(bulk_id))
if not bulk or not bulk.namespace then return {'missing'} end
if bulk.state == BULK.stopped then return {'same'} end
if bulk.state ~= BULK.running then return {'ended'} end
even_if_full()
write_hash(key.bulk(bulk_id), {state = BULK.stopped, stopped_by = by, ended_at = now_ms(), waits = false})
redis.call('INCR', key.seq())
wake('bulk')
return {BULK.stopped}
