-- Cells: every job lies in the one cell of its queue, standing and class, by the time of its latest change. Lists of
-- jobs are made of cells, and how many jobs there are of a kind is how large its cells are.
-- standing(job) is generated: the state, with a detail for some.

local function namespace_of(queue) return string.match(queue, '^[^/]+') end

local function cell_of(job) return job.queue .. ':' .. standing(job) .. ':' .. job.class end

local function shelve(job, now)
  local cell = cell_of(job)
  redis.call('ZADD', key.cell(cell), now, job.id)
  -- Never lower: the clock may have been set back, and no row of a cell is newer than this.
  redis.call('ZADD', key.cells(namespace_of(job.queue)), 'GT', now, cell)
end

local function unshelve(job, cell)
  redis.call('ZREM', key.cell(cell), job.id)
  if redis.call('EXISTS', key.cell(cell)) == 0 then redis.call('ZREM', key.cells(namespace_of(job.queue)), cell) end
end
