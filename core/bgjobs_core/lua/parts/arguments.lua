-- Arguments that are tables: each is sent as the number of what is in it, and then that.
local function read_fields(place)
  local fields, last = {}, place + 2 * tonumber(ARGV[place])
  for i = place + 1, last, 2 do fields[ARGV[i]] = ARGV[i + 1] end
  return fields, last + 1
end

local function read_tables(place)
  local tables, count = {}, tonumber(ARGV[place])
  place = place + 1
  for i = 1, count do tables[i], place = read_fields(place) end
  return tables, place
end

local function read_texts(place)
  local texts, last = {}, place + tonumber(ARGV[place])
  for i = place + 1, last do texts[#texts + 1] = ARGV[i] end
  return texts, last + 1
end
