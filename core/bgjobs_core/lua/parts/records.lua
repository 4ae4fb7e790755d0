-- The record of a job. What many jobs have in common is kept once, under its digest, and the record names it.
local shared = {} -- what this script has read of that

local function namespace_of(queue) return string.match(queue, '^[^/]+') end

local function shared_of(digest)
  local found = shared[digest]
  if not found then
    local values = redis.pcall('HMGET', key.spec(digest), 'queue', 'class', 'records_ms', 'queue_uid', 'batch')
    found = {queue = values[1], class = values[2], records_ms = tonumber(values[3]), batch = values[5] or nil}
    found.queue_uid = values[4] or ''
    found.namespace = found.queue and namespace_of(found.queue)
    shared[digest] = found
  end
  return found
end

-- A job with its fields as strings; nil if there is none, or if no verb could go by what is there: nobody else may be
-- held up by that. The fields of SHARED are not the record's own.
local function load_job(id)
  local job = load_hash(key.job(id))
  if not job or not job.spec or not tonumber(job.rev) or not job.priority or not standing(job) then return nil end
  local found = shared_of(job.spec)
  if not found.namespace or not found.class or not found.records_ms then return nil end
  job.id, job.queue, job.class, job.records_ms = id, found.queue, found.class, found.records_ms
  job.namespace, job.queue_uid, job.batch = found.namespace, found.queue_uid, found.batch
  return job
end
