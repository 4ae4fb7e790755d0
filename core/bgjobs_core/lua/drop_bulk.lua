-- drop_bulk: Drops a bulk from those that are not over if there is no such bulk, or it cannot be read.
--@ bulk_id    text  the bulk
--@ namespace  text  in which it is said to be open
--> did  dropped|kept  kept: there is such a bulk
local bulk = load_hash(key.bulk(bulk_id))
if bulk and bulk.namespace == namespace and bulk.verb and tonumber(bulk.step) then return {'kept'} end
if redis.call('ZREM', key.bulks_open(namespace), bulk_id) == 1 then redis.call('INCR', key.seq()) end
return {'dropped'}
