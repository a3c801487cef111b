-- Called by quota_settle in store/quota_settle.c.
-- KEYS: account, the day's settled ids, the month's usage.
-- ARGV: now, budget window, day, version of the user's own key (0: it did not run on that), is it another day already,
-- what they cost in all, how many models; then of each model its name and what is added to its row of the month; then of
-- each settlement: request id (each once), delivered, and the lines that stand in place of its hold until it is booked.
-- Answers of each that was settled before: its number, and what is settled and not booked yet ('': it is booked). If there
-- are such, nothing was written: the others are to be asked again without them.
-- Charges once per request id, whatever became of the hold. Without a hold (lost with the store) the record alone says
-- whether a message counts. All is read before anything is written: a sum that cannot be read is refused whole.
-- What is done for each settlement is what a busy Redis does most: sums are made by who asks.
local SETTLED_MS, USAGE_MS = '345600000', '34560000000' -- 4 days: what is settled on its day is known for 48 hours; 400 days
local USAGE_MAX = 3000 -- fields; models that come after that are summed as "other"
local BILLED_KEPT = 3 -- versions of the key
local HOLD = '^([LX])\n%d+\n(%d+)\n(%d)\n%-?%d+\n(%S+)\n(%S+)\n'
local ROW = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'
local MODELS = 8

local call, format, find, match = redis.call, string.format, string.find, string.match
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

local now = number(ARGV[1])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local account, budget, day, version, cost = KEYS[1], ARGV[2], ARGV[3], ARGV[4], ARGV[6] + 0
local held_sum, spent_sum = 'held|' .. budget, 'spent|' .. budget
local delivered_sum, billed_sum = 'delivered|' .. day, 'billed|' .. version
local first = MODELS + 2 * ARGV[7]

-- What there is: the sums, by their fields, and what stands in place of each request.
local fields, ids, count = {held_sum, spent_sum, delivered_sum, billed_sum, 'messages|' .. day, 'live|'}, {}, 0
local sum_count = #fields
for at = first, #ARGV, 3 do
    count = count + 1
    ids[count], fields[sum_count + count] = ARGV[at], ARGV[at]
end
local open = call('HMGET', account, unpack(fields))
local sums, changed = {}, {}
for i = 1, sum_count do sums[fields[i]] = number(open[i]) end
local function add(field, value)
    sums[field] = (sums[field] or number(call('HGET', account, field))) + value -- of another window
    changed[field] = true
end

-- What was settled stands over its hold, so only what has no record may have been settled and forgotten.
local known, lone = {}, {}
for i = 1, count do
    if not open[sum_count + i] then lone[#lone + 1] = ids[i] end
end
if #lone > 0 then
    for i, is_settled in ipairs(call('SMISMEMBER', KEYS[2], unpack(lone))) do known[lone[i]] = is_settled == 1 end
end

-- Holds taken in one call are the same, so each kind is read once and counted.
local holds, is_new, written, already = {}, {}, {}, {}
local delivered, head = 0, format('S\n%d\n%s\n%s\n', now, budget, day)
for i = 1, count do
    local id, at, record = ids[i], first + 3 * (i - 1), open[sum_count + i]
    local hold = record and holds[record]
    local unbooked = record and find(record, '^S\n')
    if unbooked or known[id] then
        already[#already + 1], already[#already + 2] = i, unbooked and record or ''
    elseif record and not hold then
        local state, amount, message, window, held_day = match(record, HOLD)
        if not amount then error('a hold this version cannot read') end
        hold = {count = 0, state = state, amount = amount, message = message == '1', window = window, day = held_day}
        holds[record] = hold
    end
    if is_new[id] then error('an id that is there twice') end
    if hold then hold.count = hold.count + 1 end
    if ARGV[at + 1] == '1' and (not hold or hold.message) then delivered = delivered + 1 end
    is_new[id], written[2 * i - 1], written[2 * i] = true, id, head .. ARGV[at + 2]
end
if #already > 0 then return already end

for _, hold in pairs(holds) do
    add((hold.state == 'L' and 'held|' or 'unconfirmed|') .. hold.window, -hold.amount * hold.count)
    if hold.state == 'L' then add('live|', -hold.count) end
    if hold.message then add('messages|' .. hold.day, -hold.count) end
end
if cost > 0 then add(spent_sum, cost) end
if cost > 0 and version ~= '0' then add(billed_sum, cost) end
if delivered > 0 then add(delivered_sum, delivered) end

-- The month's rows of the models. Those that come when there are many share one.
local rows, renews = {}, false
for at = MODELS, first - 1, 2 do
    local name = day .. '\n' .. ARGV[at]
    local row = rows[name] or call('HGET', KEYS[3], name)
    if not row and call('HLEN', KEYS[3]) >= USAGE_MAX then
        name = day .. '\nother'
        row = rows[name] or call('HGET', KEYS[3], name)
    end
    renews = renews or not row
    local requests, costs, prompt, cached, completion, reasoning = match(row or '0 0 0 0 0 0', ROW)
    if not requests then error('sums this version cannot read') end
    local more = {match(ARGV[at + 1], ROW)}
    rows[name] = format('%d %d %d %d %d %d', requests + more[1], costs + more[2], prompt + more[3], cached + more[4],
        completion + more[5], reasoning + more[6])
end

call('SADD', KEYS[2], unpack(ids))
for field in pairs(changed) do written[#written + 1], written[#written + 2] = field, format('%d', sums[field]) end
written[#written + 1], written[#written + 2] = 'settled|', format('%d', now)
call('HSET', account, unpack(written))
if changed[billed_sum] and not open[4] and number(version) > BILLED_KEPT then
    call('HDEL', account, 'billed|' .. format('%d', version - BILLED_KEPT))
end
local counted = {}
for name, row in pairs(rows) do counted[#counted + 1], counted[#counted + 2] = name, row end
if #counted > 0 then call('HSET', KEYS[3], unpack(counted)) end
if renews then call('PEXPIRE', KEYS[3], USAGE_MS) end
if renews or #counted == 0 or ARGV[5] == '1' then call('PEXPIRE', KEYS[2], SETTLED_MS) end
return already
