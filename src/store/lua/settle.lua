-- Called by quota_settle in store/quota.c.
-- KEYS: holds, leases, expired, settled, budget, day, usage.
-- ARGV: now, request id, budget window, day, model, cost, delivered, sent, prompt, cached, completion, reasoning,
-- version of the user's own key (0: it did not run on that).
-- Answers: already; and if not: the limit at admission, spent, held.
-- Charges once per request id, whatever became of the hold. Without a hold (lost with the store) the record alone says
-- whether a message counts, and nobody knows the limit. All money is read before anything is written: a sum that cannot
-- be read is refused whole.
local KEPT_MS = 172800000 -- settled ids
local SETTLED_MS = 259200000 -- their key; its expiry is moved at most once in 24 hours
local PRUNED, PRUNED_EVERY = 64, 16 -- so many ids by one call in so many
local BUDGET_MS, DAY_MS, USAGE_MS = 6566400000, 3974400000, 34560000000 -- 76 days: 31 + 45; 46 days: 1 + 45; 400 days
local USAGE_MAX = 3000 -- fields; models that come after that are summed as "other"
local BILLED_KEPT = 3 -- versions of the key
local HOLD = '^(%d+)\n(%d)\n(%-?%d+)\n(%S+)\n(%S+)\n'
local SUMS = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'

local call = redis.call
local function text(number) return string.format('%d', number) end
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

local now = number(ARGV[1])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local id, budget, day, cost = ARGV[2], ARGV[3], ARGV[4], number(ARGV[6])
local delivered, sent = ARGV[7] == '1', ARGV[8] == '1'
local version, billed_sum = number(ARGV[13]), 'billed|' .. ARGV[13]

-- What there is.
local open = call('HMGET', KEYS[1], id, 'held|' .. budget, 'unconfirmed|' .. budget, 'messages|' .. day, 'live|',
    billed_sum)
local held, unconfirmed, live, limit = number(open[2]), number(open[3]), number(open[5]), -1
local spent, billed = number(call('HGET', KEYS[5], 'spent')), number(open[6])
local amount, message, held_budget, held_day
local own_held, own_unconfirmed, own_messages = held, unconfirmed, number(open[4])
if open[1] then
    amount, message, limit, held_budget, held_day = string.match(open[1], HOLD)
    if not amount then error('a hold this version cannot read') end
    amount, message, limit = number(amount), message == '1', number(limit)
    delivered = delivered and message
    if held_budget ~= budget or held_day ~= day then -- it goes from its own window's sums, which need not be the record's
        local own = call('HMGET', KEYS[1], 'held|' .. held_budget, 'unconfirmed|' .. held_budget, 'messages|' .. held_day)
        own_held, own_unconfirmed, own_messages = number(own[1]), number(own[2]), number(own[3])
    end
end

local model, usage, kept = day .. '\n' .. ARGV[5], nil, 0
if sent then
    local got = call('HMGET', KEYS[7], model, 'kept')
    if not got[1] and call('HLEN', KEYS[7]) >= USAGE_MAX then
        model = day .. '\nother'
        got[1] = call('HGET', KEYS[7], model)
    end
    local requests, costs, prompt, cached, completion, reasoning = string.match(got[1] or '0 0 0 0 0 0', SUMS)
    if not requests then error('sums this version cannot read') end
    usage = string.format('%d %d %d %d %d %d', requests + 1, costs + cost, prompt + math.max(ARGV[9], 0),
        cached + math.max(ARGV[10], 0), completion + math.max(ARGV[11], 0), reasoning + math.max(ARGV[12], 0))
    kept = number(got[2])
end

if call('ZADD', KEYS[4], 'NX', text(now), id) == 0 then return {1} end
if kept < now + KEPT_MS then
    kept = now + SETTLED_MS
    call('PEXPIRE', KEYS[4], text(SETTLED_MS))
    if sent then
        call('HSET', KEYS[7], 'kept', text(kept))
        call('PEXPIRE', KEYS[7], text(USAGE_MS))
    end
end
if now % PRUNED_EVERY == 0 then
    local old = call('ZRANGEBYSCORE', KEYS[4], '-inf', text(now - KEPT_MS), 'LIMIT', '0', PRUNED)
    if #old > 0 then call('ZREM', KEYS[4], unpack(old)) end
end

-- A sum of 0 is no field.
local gone, left = {}, {}
local function put(sum, value)
    if value == 0 then
        gone[#gone + 1] = sum
    else
        left[#left + 1] = sum
        left[#left + 1] = text(value)
    end
end
if version > 0 and cost > 0 then
    put(billed_sum, billed + cost)
    if not open[6] and version > BILLED_KEPT then put('billed|' .. text(version - BILLED_KEPT), 0) end
end
if amount then
    put(id, 0)
    if call('ZREM', KEYS[2], id) == 1 then
        put('held|' .. held_budget, own_held - amount)
        put('live|', live - 1)
        if live == 1 then gone[#gone + 1] = 'next|' end
        if held_budget == budget then held = held - amount end
    else
        call('ZREM', KEYS[3], id)
        put('unconfirmed|' .. held_budget, own_unconfirmed - amount)
        if held_budget == budget then unconfirmed = unconfirmed - amount end
    end
    if message then put('messages|' .. held_day, own_messages - 1) end
end
if #gone > 0 then call('HDEL', KEYS[1], unpack(gone)) end
if #left > 0 then call('HSET', KEYS[1], unpack(left)) end

if cost > 0 then
    if spent == 0 then
        call('HSET', KEYS[5], 'spent', ARGV[6])
        call('PEXPIRE', KEYS[5], text(BUDGET_MS))
    else
        call('HINCRBY', KEYS[5], 'spent', ARGV[6])
    end
    spent = spent + cost
end
if usage then call('HSET', KEYS[7], model, usage) end
if delivered and call('HINCRBY', KEYS[6], 'messages', '1') == 1 then call('PEXPIRE', KEYS[6], text(DAY_MS)) end
return {0, limit, spent + unconfirmed, held}
