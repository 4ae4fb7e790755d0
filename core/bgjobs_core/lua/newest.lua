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
      if score ~= before or id < before_id then
        merged[#merged + 1], merged_scores[#merged_scores + 1] = id, score
      end
      theirs = theirs + 2
    else
      merged[#merged + 1], merged_scores[#merged_scores + 1] = other, other_score
      mine = mine + 1
    end
  end
  ids, scores = merged, merged_scores
end

-- The latest rows of a cell from behind the last row of the page before. Many rows may have that row's time.
local function rows_of(cell)
  local top, bottom, passed = before and text(before) or '+inf', text(scores[limit] or since), 0
  while true do
    local rows = redis.call(
      'ZRANGE', key.cell(cell), top, bottom, 'BYSCORE', 'REV', 'LIMIT', passed, limit + 1, 'WITHSCORES')
    local last = #rows - 1
    if last < 2 * limit or tonumber(rows[last + 1]) ~= before or rows[last] < before_id then return rows end
    passed = passed + limit + 1
  end
end

for _, cell in ipairs(cells) do merge(rows_of(cell)) end
local changed = {}
for i, score in ipairs(scores) do changed[i] = text(score) end
return {ids, changed}
