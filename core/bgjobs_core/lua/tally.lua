-- tally: How many jobs are in each cell of a namespace, in pages, the cells that changed last first. Changes nothing.
--! called by Cells.sizes
--@ namespace  text   the namespace
--@ first      whole  how many cells to pass over
--@ limit      whole  how many cells at most
--@ since      whole? only jobs that changed at this Unix time in ms or later
--@ till       whole? only jobs that changed before this Unix time in ms
--> names    text*  of the cells
--> changed  text*  for each cell, when a job was last put into it or changed in it, in Unix ms
--> sizes    text*  for each cell, how many of these jobs are in it
local names, changed, sizes = {}, {}, {}

local function size_of(cell)
  if not since and not till then return redis.pcall('ZCARD', key.cell(cell)) end
  return redis.pcall('ZCOUNT', key.cell(cell), since and text(since) or '-inf', till and '(' .. text(till) or '+inf')
end

local found = redis.call('ZRANGE', key.cells(namespace), first, first + limit - 1, 'REV', 'WITHSCORES')
for i = 1, #found, 2 do
  local n = #names + 1
  names[n], changed[n], sizes[n] = found[i], found[i + 1], text(tonumber(size_of(found[i])) or 0)
end
return {names, changed, sizes}
