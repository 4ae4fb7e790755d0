-- Cells: every job lies in the one cell of its queue, standing and class, by the time of its latest change. Lists of
-- jobs are made of cells, and how many jobs there are of a kind is how large its cells are.
-- standing(job) is generated: the state, with a detail for some.

local noted = {} -- the cells of which this script has told when the latest job came, each with that time

local function cell_of(job) return job.queue .. ':' .. standing(job) .. ':' .. job.class end

local function shelve(job, now)
  local cell = cell_of(job)
  redis.call('ZADD', key.cell(cell), now, job.id)
  if noted[cell] == now then return end
  noted[cell] = now
  -- Never lower: the clock may have been set back, and no row of a cell is newer than this.
  if redis.call('ZADD', key.cells(job.namespace), 'GT', now, cell) == 1 then
    redis.call('SADD', key.namespaces(), job.namespace)
  end
end

local function unshelve(job, cell)
  redis.call('ZREM', key.cell(cell), job.id)
  if redis.call('EXISTS', key.cell(cell)) == 1 then return end
  noted[cell] = nil
  redis.call('ZREM', key.cells(job.namespace), cell)
  if redis.call('EXISTS', key.cells(job.namespace)) == 0 then redis.call('SREM', key.namespaces(), job.namespace) end
end
