-- Called by book_settlements in store/books.c.
-- KEYS: ledger, the day's seen ids, the day's sums by user and all others, the same two of the month.
-- ARGV: now (not used), day, is it another day already; then of each settlement: request id, user, tier, model,
-- finished_ms, cost, prompt, cached, completion, reasoning, source.
-- Answers how many of them were not booked before. Books once per request id. What was never sent is in the ledger but
-- is no request in the sums. All is read before anything is written: what cannot be read is refused whole.
local SEEN_MS = '345600000' -- 4 days: what is booked on its day is kept for more than 48 hours, a straggler sets it anew
local LEDGER_MAX = '1000000' -- entries, about
local DAYS_MS = '34560000000' -- a day's sums, 400 days; months stay
local FIELDS_MAX = 6000 -- models that come after that are summed as "other"
local SUMS = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'
local EXACT = 9007199254740992 -- 2^53
local FIRST, WIDTH, COLUMNS = 4, 11, 7
local BY_USER, BY_PAIR, MONTH_BY_USER, MONTH_BY_PAIR = 3, 4, 5, 6

local call = redis.call
local day = ARGV[2]

local ids, is_new = {}, {}
for at = FIRST, #ARGV, WIDTH do ids[#ids + 1] = ARGV[at] end
for i, known in ipairs(call('SMISMEMBER', KEYS[2], unpack(ids))) do
    is_new[ids[i]] = known == 0
end

-- What the new ones add: names in the order they came, and name → its sums: requests, cost below a billion, four kinds of
-- tokens, billions of cost. Day and month have the same; the month has the day's sums besides.
local function add(rows, name, sums)
    if not rows[name] then
        rows[name] = {0, 0, 0, 0, 0, 0, 0}
        table.insert(rows, name)
    end
    for i = 1, COLUMNS do rows[name][i] = rows[name][i] + sums[i] end
end

local fresh, users, models = {}, {}, {}
for at = FIRST, #ARGV, WIDTH do
    if is_new[ARGV[at]] then
        is_new[ARGV[at]] = false
        fresh[#fresh + 1] = at
        if ARGV[at + 10] ~= 'nothing_sent' then
            local sums = {1, ARGV[at + 5] % 1e9, 0, 0, 0, 0, math.floor(ARGV[at + 5] / 1e9)}
            for i = 3, 6 do sums[i] = math.max(ARGV[at + 3 + i], 0) end
            add(users, ARGV[at + 1], sums)
            add(models, ARGV[at + 2] .. '\n' .. ARGV[at + 3], sums)
        end
    end
end
if #fresh == 0 then return 0 end
local month = {}
for _, name in ipairs(models) do
    add(month, name, models[name])
    add(month, day, models[name])
end
local added = {[BY_USER] = users, [BY_PAIR] = models, [MONTH_BY_USER] = users, [MONTH_BY_PAIR] = month}

-- A fleet may spend more than a Lua number counts exactly; then the last nine digits are added for themselves.
local function exact(before, row)
    local low = string.sub(before, -9) + row[2]
    return string.format('%d%09d', (tonumber(string.sub(before, 1, -10)) or 0) + row[7] + math.floor(low / 1e9), low % 1e9)
end
local function sum(before, row)
    local requests, costs, prompt, cached, completion, reasoning = string.match(before or '0 0 0 0 0 0', SUMS)
    if not requests then error('sums this version cannot read') end
    local cost = costs + row[7] * 1e9 + row[2]
    return string.format('%d %s %d %d %d %d', requests + row[1], cost < EXACT and string.format('%d', cost) or exact(costs, row),
        prompt + row[3], cached + row[4], completion + row[5], reasoning + row[6])
end

-- Models that are new and beyond FIELDS_MAX become their tier's "other".
local function folded(key, rows, before)
    local room, kept = FIELDS_MAX - call('HLEN', KEYS[key]), {}
    for i, name in ipairs(rows) do
        local tier, model = string.match(name, '^([^\n]*)\n(.*)$')
        if not before[i] and tier and model ~= 'other' and room <= 0 then
            add(kept, tier .. '\nother', rows[name])
        else
            room = before[i] and room or room - 1
            add(kept, name, rows[name])
        end
    end
    return kept
end

local written, is_first = {}, false
for key, rows in pairs(added) do
    local before, some_new = #rows > 0 and call('HMGET', KEYS[key], unpack(rows)) or {}, false
    for i = 1, #rows do some_new = some_new or not before[i] end
    if some_new and (key == BY_PAIR or key == MONTH_BY_PAIR) then
        is_first, rows = true, folded(key, rows, before)
        before = call('HMGET', KEYS[key], unpack(rows))
    end
    for i, name in ipairs(rows) do
        written[key] = written[key] or {}
        table.insert(written[key], name)
        table.insert(written[key], sum(before[i], rows[name]))
    end
end

for i, at in ipairs(fresh) do
    ids[i] = ARGV[at]
    call('XADD', KEYS[1], 'MAXLEN', '~', LEDGER_MAX, '*', 'request_id', ARGV[at], 'user', ARGV[at + 1], 'tier',
        ARGV[at + 2], 'model', ARGV[at + 3], 'day', day, 'finished_ms', ARGV[at + 4], 'cost_nano_usd', ARGV[at + 5],
        'prompt', ARGV[at + 6], 'cached', ARGV[at + 7], 'completion', ARGV[at + 8], 'reasoning', ARGV[at + 9],
        'source', ARGV[at + 10])
end
call('SADD', KEYS[2], unpack(ids, 1, #fresh))
for key, row in pairs(written) do call('HSET', KEYS[key], unpack(row)) end
if is_first then
    call('PEXPIRE', KEYS[BY_USER], DAYS_MS)
    call('PEXPIRE', KEYS[BY_PAIR], DAYS_MS)
end
if is_first or ARGV[3] == '1' or call('SCARD', KEYS[2]) == #fresh then call('PEXPIRE', KEYS[2], SEEN_MS) end
return #fresh
