-- advance_bulk: Notes what came of a step of a bulk, and which jobs the next step takes.
-- The jobs are named before anything is done with them, so that another leader knows of which ones it must find out
-- whether it was done. A bulk that was stopped takes no more. Sent again, a step counts once.
--@ bulk_id  text     the bulk
--@ epoch    text     the leader's token
--@ step     whole    the number of this step: how many there were before
--@ cursor   text     where the search for its jobs goes on behind those that are taken
--@ taken    text     ids of the jobs that are taken now, with blanks between them
--@ is_over  yes|no   yes: there are no more jobs
--@ waits    text     why it does not go on at the moment, in words; "" if it does
--@ done     whole    with how many jobs it was done since the step before
--@ reasons  fields   how many were skipped or failed why: counts by `skipped:` or `failure:` and a word
--> did  BULK.running|BULK.stopped|BULK.done|missing|not_leader  stopped: somebody has stopped it, and nothing was taken;
--    missing: there is no such bulk any more; not_leader: another one leads by now, and nothing was written
--> now  whole  Redis TIME in ms
local now = now_ms()
if redis.call('GET', key.epoch()) ~= epoch then return {'not_leader', now} end
local bulk = load_hash(key.bulk(bulk_id))
if not bulk or not bulk.namespace or not tonumber(bulk.step) then return {'missing', now} end
if tonumber(bulk.step) == step then
  local goes_on = bulk.state == BULK.running and is_over == 'no'
  local changes = {step = step + 1, latest_at = now, cursor = cursor, waits = waits ~= '' and waits}
  changes.taken = goes_on and taken ~= '' and taken
  if bulk.state == BULK.running and not goes_on then
    bulk.state = BULK.done
    changes.state, changes.ended_at = bulk.state, now
  end
  local name = key.bulk(bulk_id)
  even_if_full()
  write_hash(name, changes)
  if done > 0 then redis.call('HINCRBY', name, 'done', done) end
  for reason, count in pairs(reasons) do redis.call('HINCRBY', name, reason, count) end
  keep_bulk(bulk_id, bulk.namespace)
  if not goes_on then redis.call('ZREM', key.bulks_open(bulk.namespace), bulk_id) end
  redis.call('INCR', key.seq())
end
if bulk.state == BULK.stopped then return {BULK.stopped, now} end
if bulk.state == BULK.done then return {BULK.done, now} end
return {BULK.running, now}
