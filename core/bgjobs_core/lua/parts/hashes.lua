-- Hashes of Redis as tables of strings.

-- Numbers here are whole; `tostring` would write 1e+14.
local function text(value)
  if type(value) == 'number' then return string.format('%.0f', value) end
  return tostring(value)
end

-- Nil if there is none, or something else has this name.
local function load_hash(name)
  local flat = redis.pcall('HGETALL', name)
  if flat.err or #flat == 0 then return nil end
  local hash = {}
  for i = 1, #flat, 2 do hash[flat[i]] = flat[i + 1] end
  return hash
end

-- Writes fields; one that is `false` is removed.
local function write_hash(name, fields)
  local written, removed = {}, {}
  for field, value in pairs(fields) do
    if value == false then
      removed[#removed + 1] = field
    else
      written[#written + 1] = field
      written[#written + 1] = text(value)
    end
  end
  if #removed > 0 then redis.call('HDEL', name, unpack(removed)) end
  if #written > 0 then redis.call('HSET', name, unpack(written)) end
end

-- For a verb that only adds, but must work when Redis is full: once a script has removed (even nothing), it may add.
local has_removed = false

local function even_if_full()
  if has_removed then return end
  has_removed = true
  redis.call('ZREM', key.dues(), '')
end
