-- What is known of a bulk is kept for some days after its latest step, and with it the lists of its namespace.
local function keep_bulk(id, namespace)
  for _, name in ipairs({key.bulk(id), key.bulks(namespace), key.bulks_open(namespace)}) do
    redis.call('PEXPIRE', name, LIMIT.bulk_kept_ms)
  end
end
