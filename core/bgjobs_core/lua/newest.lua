-- newest: The jobs of some cells that changed last, the latest first. Changes nothing.
--! called by Cells.newest
--@ limit      whole   how many jobs at most
--@ before     whole?  the time of the last row of the page before, in Unix ms; nil for the first page
--@ before_id  text    its job; "" for the first page
--@ since      whole   changes before this Unix time in ms are left out
--@ cells      text*   names of the cells; it is faster if those that changed last come first
--> ids      text*  the jobs
--> changed  text*  for each job, when it changed, in Unix ms
local ids, scores = {}, {}

-- Merges the rows of one cell into those that were found, and keeps the latest.
local function merge(rows)
  local merged, merged_scores, mine, theirs = {}, {}, 1, 1
  while #merged < limit do
    local id, score = rows[theirs], tonumber(rows[theirs + 1])
    local other, other_score = ids[mine], scores[mine]
    if not id and not other then break end
    if id and (not other or score > other_score or (score == other_score and id > other)) then
      merged[#merged + 1], merged_scores[#merged_scores + 1] = id, score
      theirs = theirs + 2
    else
      merged[#merged + 1], merged_scores[#merged_scores + 1] = other, other_score
      mine = mine + 1
    end
  end
  ids, scores = merged, merged_scores
end

-- The latest rows of a cell from behind the last row of the page before; at least as many as wanted, if there are so
-- many. Many rows may have the time of that last row, as after many jobs were enqueued at once.
local function rows_of(cell)
  local top, bottom, passed, kept = before and text(before) or '+inf', text(scores[limit] or since), 0, {}
  while true do
    local rows = redis.call(
      'ZRANGE', key.cell(cell), top, bottom, 'BYSCORE', 'REV', 'LIMIT', passed, limit, 'WITHSCORES')
    for i = 1, #rows, 2 do
      if tonumber(rows[i + 1]) ~= before or rows[i] < before_id then
        local n = #kept
        kept[n + 1], kept[n + 2] = rows[i], rows[i + 1]
      end
    end
    if #rows < 2 * limit or #kept >= 2 * limit then return kept end
    passed = passed + limit
  end
end

for _, cell in ipairs(cells) do merge(rows_of(cell)) end
local changed = {}
for i, score in ipairs(scores) do changed[i] = text(score) end
return {ids, changed}
