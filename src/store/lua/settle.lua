-- Called by quota_settle in store/quota.c.
-- KEYS: account, the day's settled ids, the month's usage.
-- ARGV: now, request id, budget window, day, model, cost, delivered, prompt, cached, completion, reasoning, version of
-- the user's own key (0: it did not run on that), tier, finished_ms, source, is it another day already.
-- Answers: already, and what is settled and not booked yet ('': it is booked); or not: the limit at admission,
-- spent, held.
-- Charges once per request id, whatever became of the hold. In its place stands what is to be booked, until it is.
-- Without a hold (lost with the store) the record alone says whether a message counts, and nobody knows the limit. All
-- is read before anything is written: a sum that cannot be read is refused whole.
local SETTLED_MS, USAGE_MS = '345600000', '34560000000' -- 4 days: what is settled on its day is known for 48 hours; 400 days
local USAGE_MAX = 3000 -- fields; models that come after that are summed as "other"
local BILLED_KEPT = 3 -- versions of the key
local HOLD = '^([LX])\n%d+\n(%d+)\n(%d)\n(%-?%d+)\n(%S+)\n(%S+)\n'
local SUMS = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'

local call, format, match, max = redis.call, string.format, string.match, math.max
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

local now = number(ARGV[1])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local id, budget, day, cost, version = ARGV[2], ARGV[3], ARGV[4], number(ARGV[6]), number(ARGV[12])
local delivered, sent = ARGV[7] == '1', ARGV[15] ~= 'nothing_sent'

-- What there is.
local open = call('HMGET', KEYS[1], id, 'held|' .. budget, 'unconfirmed|' .. budget, 'spent|' .. budget,
    'messages|' .. day, 'delivered|' .. day, 'live|', 'billed|' .. ARGV[12])
local held, unconfirmed, spent, live = number(open[2]), number(open[3]), number(open[4]), number(open[7])
local limit, counted, billed = -1, number(open[6]), number(open[8])
local state, amount, message, held_budget, held_day
local own_held, own_unconfirmed, own_messages = held, unconfirmed, number(open[5])
if open[1] then
    if string.find(open[1], '^S\n') then return {1, open[1]} end
    state, amount, message, limit, held_budget, held_day = match(open[1], HOLD)
    if not amount then error('a hold this version cannot read') end
    amount, message, limit = number(amount), message == '1', number(limit)
    delivered = delivered and message
    if held_budget ~= budget or held_day ~= day then -- it goes from its own window's sums, which need not be the record's
        local own = call('HMGET', KEYS[1], 'held|' .. held_budget, 'unconfirmed|' .. held_budget, 'messages|' .. held_day)
        own_held, own_unconfirmed, own_messages = number(own[1]), number(own[2]), number(own[3])
    end
end

local model, usage, is_first = day .. '\n' .. ARGV[5], nil, true
if sent then
    local row = call('HGET', KEYS[3], model)
    is_first = not row
    if is_first and call('HLEN', KEYS[3]) >= USAGE_MAX then
        model = day .. '\nother'
        row = call('HGET', KEYS[3], model)
    end
    local requests, costs, prompt, cached, completion, reasoning = match(row or '0 0 0 0 0 0', SUMS)
    if not requests then error('sums this version cannot read') end
    usage = format('%d %d %d %d %d %d', requests + 1, costs + cost, prompt + max(ARGV[8], 0),
        cached + max(ARGV[9], 0), completion + max(ARGV[10], 0), reasoning + max(ARGV[11], 0))
end

if call('SADD', KEYS[2], id) == 0 then return {1, ''} end
if is_first or ARGV[16] == '1' then call('PEXPIRE', KEYS[2], SETTLED_MS) end

local written = {id, 'S\n' .. format('%d', now) .. '\n' .. table.concat(ARGV, '\n', 3, 15), 'settled|', format('%d', now)}
local function put(sum, value)
    written[#written + 1] = sum
    written[#written + 1] = format('%d', value)
end
if version > 0 and cost > 0 then
    put('billed|' .. ARGV[12], billed + cost)
    if not open[8] and version > BILLED_KEPT then call('HDEL', KEYS[1], 'billed|' .. format('%d', version - BILLED_KEPT)) end
end
if cost > 0 then
    spent = spent + cost
    put('spent|' .. budget, spent)
end
if state == 'L' then
    put('held|' .. held_budget, own_held - amount)
    put('live|', live - 1)
    if held_budget == budget then held = held - amount end
elseif state == 'X' then
    put('unconfirmed|' .. held_budget, own_unconfirmed - amount)
    if held_budget == budget then unconfirmed = unconfirmed - amount end
end
if message then put('messages|' .. held_day, own_messages - 1) end
if delivered then put('delivered|' .. day, counted + 1) end
call('HSET', KEYS[1], unpack(written))
if usage then
    call('HSET', KEYS[3], model, usage)
    if is_first then call('PEXPIRE', KEYS[3], USAGE_MS) end
end
return {0, limit, spent + unconfirmed, held}
