-- Called by book_settlements in store/books.c.
-- KEYS: ledger, the day's seen ids, the day's sums by user and all others, the same two of the month, the ledger's marks.
-- ARGV: now (not used), day, is it another day already, how many users, how many models of tiers; then of each user its name and what
-- is added to its rows; of each model its tier, name and what is added; then of each settlement: request id (each once) and what
-- the ledger says of it.
-- Answers the numbers of those that were booked before. If there are such, nothing was written: the others are to be asked
-- again without them. Books once per request id. What was never sent is in the ledger but is no request in the sums. All is
-- read before anything is written: what cannot be read is refused whole.
local SEEN_MS = '345600000' -- 4 days: what is booked on its day is kept for more than 48 hours, a straggler sets it anew
local MARK_EVERY, MARKS = 10000, 100 -- so many requests have a mark; from a mark of a million requests ago on they are kept
local DAYS_MS = '34560000000' -- a day's sums, 400 days; months stay
local FIELDS_MAX = 6000 -- models that come after that are summed as "other"
local ROW = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'
local EXACT = 9007199254740992 -- 2^53
local USERS, WIDTH = 6, 2
local LEDGER, BY_USER, BY_PAIR, MONTH_BY_USER, MONTH_BY_PAIR, LEDGER_MARKS = 1, 3, 4, 5, 6, 7

local call, format, sub, match = redis.call, string.format, string.sub, string.match
local day = ARGV[2]
local models_at = USERS + 2 * ARGV[4]
local first = models_at + 3 * ARGV[5]

local ids, already, is_new = {}, {}, {}
for at = first, #ARGV, WIDTH do
    ids[#ids + 1] = ARGV[at]
    if is_new[ARGV[at]] then error('an id that is there twice') end
    is_new[ARGV[at]] = true
end
for i, known in ipairs(call('SMISMEMBER', KEYS[2], unpack(ids))) do
    if known == 1 then already[#already + 1] = i end
end
if #already > 0 then return already end

-- A fleet may spend more than a Lua number counts exactly; then the last nine digits are added for themselves.
local function exact(costs, more)
    local low = sub(costs, -9) + sub(more, -9)
    local high = (tonumber(sub(costs, 1, -10)) or 0) + (tonumber(sub(more, 1, -10)) or 0)
    return format('%d%09d', high + math.floor(low / 1e9), low % 1e9)
end
local function sum(before, more)
    if not before then return more.text end
    local requests, costs, prompt, cached, completion, reasoning = match(before, ROW)
    if not requests then error('sums this version cannot read') end
    local cost = costs + more[2]
    return format('%d %s %d %d %d %d', requests + more[1], cost < EXACT and format('%d', cost) or exact(costs, more[2]),
        prompt + more[3], cached + more[4], completion + more[5], reasoning + more[6])
end

-- What is added, in the order it came. The month has a row of each day besides.
local users, models, month = {}, {}, {}
local function add(rows, name, tier, text)
    local row = {match(text, ROW)}
    row.name, row.tier, row.text = name, tier, text
    rows[#rows + 1] = row
end
for at = USERS, models_at - 1, 2 do add(users, ARGV[at], nil, ARGV[at + 1]) end
for at = models_at, first - 1, 3 do
    add(models, ARGV[at] .. '\n' .. ARGV[at + 1], ARGV[at], ARGV[at + 2])
    add(month, ARGV[at] .. '\n' .. ARGV[at + 1], ARGV[at], ARGV[at + 2])
    add(month, day, nil, ARGV[at + 2])
end

-- Models that are new and beyond FIELDS_MAX become their tier's "other".
local written, is_first = {}, false
for key, rows in pairs({[BY_USER] = users, [BY_PAIR] = models, [MONTH_BY_USER] = users, [MONTH_BY_PAIR] = month}) do
    local names, after, room, flat = {}, {}, nil, {}
    for i, row in ipairs(rows) do names[i] = row.name end
    local before = #names > 0 and call('HMGET', KEYS[key], unpack(names))
    for i, row in ipairs(rows) do
        local name, known = row.name, after[row.name] or before[i]
        if not known and (key == BY_PAIR or key == MONTH_BY_PAIR) then
            room, is_first = room or FIELDS_MAX - call('HLEN', KEYS[key]), true
            if room <= 0 and row.tier then
                name = row.tier .. '\nother'
                known = after[name] or call('HGET', KEYS[key], name)
            end
            room = room - 1
        end
        after[name] = sum(known, row)
    end
    for name, row in pairs(after) do flat[#flat + 1], flat[#flat + 2] = name, row end
    if #flat > 0 then written[key] = flat end
end

-- An entry holds many requests, so they are counted: the ledger is trimmed to a mark a million requests ago.
local last = tonumber(call('HGET', KEYS[LEDGER_MARKS], 'count') or '0') or error('a count this version cannot read')
local count = last + #ids
local mark, kept_from = math.floor(count / MARK_EVERY), nil
local oldest, is_marked = format('%d', mark - MARKS), mark > math.floor(last / MARK_EVERY)
if is_marked then kept_from = call('HGET', KEYS[LEDGER_MARKS], oldest) end
if kept_from and not match(kept_from, '^%d+%-%d+$') then error('a mark this version cannot read') end

local entry = call('XADD', KEYS[LEDGER], '*', unpack(ARGV, first))
call('HSET', KEYS[LEDGER_MARKS], 'count', format('%d', count))
if is_marked then call('HSET', KEYS[LEDGER_MARKS], format('%d', mark), entry) end
if kept_from then
    call('XTRIM', KEYS[LEDGER], 'MINID', '~', kept_from, 'LIMIT', '0')
    call('HDEL', KEYS[LEDGER_MARKS], oldest)
end
call('SADD', KEYS[2], unpack(ids))
for key, flat in pairs(written) do call('HSET', KEYS[key], unpack(flat)) end
if is_first then
    call('PEXPIRE', KEYS[BY_USER], DAYS_MS)
    call('PEXPIRE', KEYS[BY_PAIR], DAYS_MS)
end
if is_first or ARGV[3] == '1' or call('SCARD', KEYS[2]) == #ids then call('PEXPIRE', KEYS[2], SEEN_MS) end
return already
