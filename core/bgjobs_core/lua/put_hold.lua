-- put_hold: Holds jobs by what they are: from now on none of them gets a slot, whether it waits or comes.
-- What runs goes on. A hold with an end is over then by itself. The caller makes the id, so a hold can be sent twice.
--! called by Holding.put_hold
--@ namespace  text    of the jobs
--@ hold_id    text    a new id
--@ for_ms     whole?  after which it is over; nil: it holds until somebody drops it
--@ pattern    text    of their class or their method, as package.*; "" for any
--@ why        text(1024)  what the jobs say meanwhile
--@ said       text    what was asked for, as JSON
--@ labels     text*   that they have, each as JSON has it in the record of a job
--> did  put|same|conflict|too_many  same: it is there already; conflict: the id is that of another hold; too_many: the
--    namespace has as many holds as it may
local there = redis.call('HGET', key.holds(namespace), hold_id)
if there and string.find(there, '\n' .. said, 1, true) then return {'same'} end
if there then return {'conflict'} end
if redis.call('HLEN', key.holds(namespace)) >= LIMIT.holds then return {'too_many'} end
even_if_full()
local now = now_ms()
local ends = for_ms and now + for_ms
local lines = {ends and text(ends) or '', text(now), pattern, why, said}
for _, label in ipairs(labels) do lines[#lines + 1] = label end
redis.call('HSET', key.holds(namespace), hold_id, table.concat(lines, '\n'))
if ends then redis.call('ZADD', key.hold_ends(), ends, namespace .. '/' .. hold_id) end
redis.call('INCR', key.seq())
wake('holds')
return {'put'}
