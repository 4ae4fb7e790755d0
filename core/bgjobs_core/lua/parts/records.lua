-- The record of a job. What many jobs have in common is kept once, under its digest, and the record names it.
local shared = {} -- what this script has read of that

local function shared_of(digest)
  local found = shared[digest]
  if not found then
    local values = redis.call('HMGET', key.spec(digest), 'queue', 'class', 'records_ms')
    found = {queue = values[1], class = values[2], records_ms = values[3]}
    shared[digest] = found
  end
  return found
end

-- A job with its fields as strings; nil if there is none. The fields of SHARED are not the record's own.
local function load_job(id)
  local job = load_hash(key.job(id))
  if not job then return nil end
  local found = shared_of(job.spec)
  job.id, job.queue, job.class, job.records_ms = id, found.queue, found.class, found.records_ms
  return job
end
