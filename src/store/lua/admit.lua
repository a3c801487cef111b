-- Called by quota_admit and quota_look in store/quota.c.
-- KEYS: user, account, the day's settled ids.
-- ARGV: now, request id ("" only looks), holder, tier, model, budget window, day (which is within it), when it starts,
-- hold, least, lease_ms, flags (1: make the user, 2: is a message), limit, messages, requests, concurrent, overage.
-- Answers: verdict, status, tier, is the user made, granted, now, budget window, day, admitted at, limit, spent, held,
-- messages' limit and number, requests', active ones'.
-- All or nothing: a refusal writes nothing; only holds whose lease ran out are marked, which leaves what remains as it
-- was. A request id that has a live hold gets its first answer again and no second hold.
local DAY_MS, MINUTE_MS, DAY_MINUTES = 86400000, 60000, 1440
local SWEEP_MS = 1000 -- so often at most
local MONEY_MAX = 8e15 -- spent and held together: below 2^53, which a Lua number counts exactly
local WINDOWS = 4 -- so many windows of one length keep their sums
local LEASE = '^L\n(%d+)\n(%d+)\n%d\n%-?%d+\n(%S+)\n'
local HOLD = '^L\n(%d+)\n(%d+)\n%d\n%-?%d+\n(%S+)\n(%S+)\n(%d+)\n(%d)\n%d+\n([^\n]*)\n'

local call = redis.call
local function text(number) return string.format('%d', number) end
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

-- Marks holds whose lease ran out: they count as spent and unconfirmed. Nobody knows a lease's end without reading all
-- holds, so this is done when the earliest known end is past, and not again within SWEEP_MS.
local function sweep(now)
    local all, live, first, changed, moved = call('HGETALL', KEYS[2]), 0, nil, {}, {}
    for i = 1, #all, 2 do
        local lease_ends, amount, window = string.match(all[i + 1], LEASE)
        if not lease_ends and string.find(all[i + 1], '^L') then error('a hold this version cannot read') end
        if lease_ends and number(lease_ends) <= now then
            changed[#changed + 1], changed[#changed + 2] = all[i], 'X' .. string.sub(all[i + 1], 2)
            moved[window] = (moved[window] or 0) + amount
        elseif lease_ends then
            live, first = live + 1, math.min(first or number(lease_ends), number(lease_ends))
        end
    end
    local sums = {'live|', text(live), 'next|', text(math.max(first or 0, now + SWEEP_MS))}
    for window, amount in pairs(moved) do
        local held, unconfirmed = 'held|' .. window, 'unconfirmed|' .. window
        local known = call('HMGET', KEYS[2], held, unconfirmed)
        for _, item in ipairs({held, text(number(known[1]) - amount), unconfirmed, text(number(known[2]) + amount)}) do
            sums[#sums + 1] = item
        end
    end
    for i = 1, #changed, 2 do call('HSET', KEYS[2], changed[i], changed[i + 1]) end
    call('HSET', KEYS[2], unpack(sums))
end

-- A new day: the sums of windows long over go, those of one length ("2026-11", "2026-11-20") by themselves.
local function prune()
    local kinds = {}
    for _, field in ipairs(call('HKEYS', KEYS[2])) do
        local name, window = string.match(field, '^(%l+|)(%d.*)$')
        if window and name ~= 'billed|' then
            local kind = name .. #window
            kinds[kind] = kinds[kind] or {}
            table.insert(kinds[kind], field)
        end
    end
    for _, fields in pairs(kinds) do
        table.sort(fields)
        for i = 1, #fields - WINDOWS do
            local holds_something = not string.find(fields[i], '^[sd]') and call('HGET', KEYS[2], fields[i]) ~= '0'
            if not holds_something then call('HDEL', KEYS[2], fields[i]) end
        end
    end
end

local now = number(ARGV[1])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local id, tier, budget, day, day_starts = ARGV[2], ARGV[4], ARGV[6], ARGV[7], number(ARGV[8])
local hold, least = number(ARGV[9]), number(ARGV[10])
local make, message = ARGV[12] % 2 == 1, ARGV[12] >= '2'
local held_sum, messages_sum = 'held|' .. budget, 'messages|' .. day
local function account()
    return call('HMGET', KEYS[2], id, held_sum, 'unconfirmed|' .. budget, 'spent|' .. budget, messages_sum,
        'delivered|' .. day, 'live|', 'next|', 'minute|', 'requests|')
end
local open = account()
if number(open[7]) > 0 and number(open[8]) <= now then
    sweep(now)
    open = account()
end
local user = call('HMGET', KEYS[1], 'status', 'tier', 'o_limit_nano_usd', 'o_messages_per_day',
    'o_requests_per_minute', 'o_max_concurrent', 'boost_nano_usd', 'boost_until_ms')
local status = user[1]

-- What the user may have: its own limits win over the tier's, a boost comes on top while it lasts.
local function limit_of(own, argument)
    if own and own ~= '' then return number(own) end
    return number(argument)
end
local limit = math.min(limit_of(user[3], ARGV[13]), MONEY_MAX)
local messages_limit, requests_limit = limit_of(user[4], ARGV[14]), limit_of(user[5], ARGV[15])
local active_limit = limit_of(user[6], ARGV[16])
if limit >= 0 and number(user[8]) > now then limit = math.min(limit + number(user[7]), MONEY_MAX) end
local enforced = limit >= 0 and ARGV[17] ~= '1'

-- What it has.
local held, spent = number(open[2]), number(open[3]) + number(open[4])
local messages, active = number(open[5]) + number(open[6]), number(open[7])
local minute = text(math.floor(now / MINUTE_MS))
local requests = open[9] == minute and number(open[10]) or 0

if user[2] and user[2] ~= '' then tier = user[2] end -- a user without a tier of its own follows the default
local granted, created, admitted, told_budget, told_day, told_tier = 0, 0, now, budget, day, tier
if not status and not make then told_tier = '' end
local function answer(verdict)
    return {verdict, status or '', told_tier, created, granted, now, told_budget, told_day, admitted, limit, spent,
        held, messages_limit, messages, requests_limit, requests, active_limit, active}
end

-- Of several reasons the one that takes longest to go away is told.
local function refusal()
    if not status and not make then return 'no_user' end
    if status == 'disabled' then return 'user_disabled' end
    if status and status ~= 'active' then error('a status this version does not write') end
    if tier ~= ARGV[4] then return 'other_tier' end
    if now < day_starts or now >= day_starts + DAY_MS then return 'other_period' end
    if enforced and spent + least > limit or spent + held + hold > MONEY_MAX then return 'budget_spent' end
    if message and messages_limit >= 0 and messages >= messages_limit then return 'messages_spent' end
    if requests_limit >= 0 and requests >= requests_limit then return 'too_fast' end
    if active_limit >= 0 and active >= active_limit then return 'too_many' end
    if enforced and spent + held + least > limit then return 'budget_held' end
end

if id == '' then return answer('look') end
if open[1] then
    local lease_ends, amount, held_budget, held_day, held_at, made, held_tier = string.match(open[1], HOLD)
    if not amount and not string.find(open[1], '^[XS]\n') then error('a hold this version cannot read') end
    if not amount or number(lease_ends) <= now then return answer('over') end
    granted, created, admitted = number(amount), number(made), number(held_at)
    told_budget, told_day, told_tier = held_budget, held_day, held_tier
    return answer('granted')
end
if call('SISMEMBER', KEYS[3], id) == 1 then return answer('over') end
local verdict = refusal()
if verdict then return answer(verdict) end

granted = enforced and math.min(hold, limit - spent - held) or hold
if not status then
    status, created = 'active', 1
    call('HSET', KEYS[1], 'status', status, 'tier', tier, 'created_at', text(now))
end
if math.floor(number(open[9]) / DAY_MINUTES) ~= math.floor(minute / DAY_MINUTES) then prune() end
local lease_ends, first_ends = now + ARGV[11], number(open[8])
if active == 0 or lease_ends < first_ends then first_ends = lease_ends end
held, requests, active = held + granted, requests + 1, active + 1
local record = table.concat({'L', text(lease_ends), text(granted), message and '1' or '0', text(limit), budget, day,
    text(now), text(created), '0', tier, ARGV[3], '', ARGV[5]}, '\n')
local written = {id, record, held_sum, text(held), 'live|', text(active), 'next|', text(first_ends), 'minute|', minute,
    'requests|', text(requests)}
if message then
    messages = messages + 1
    written[13], written[14] = messages_sum, text(number(open[5]) + 1)
end
call('HSET', KEYS[2], unpack(written))
return answer('granted')
