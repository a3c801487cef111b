-- Called by quota_admit, quota_look and quota_take_ahead in store/quota*.c.
-- KEYS: user, account, the day's settled ids.
-- ARGV: now, request id ("" only looks), holder, tier, model, budget window, day (which is within it), when it starts,
-- hold, least, lease_ms, flags (1: make the user, 2: is a message), limit, messages, requests, concurrent, overage; then,
-- of who only looks, ids for holds of requests that will come.
-- Answers: verdict, status, tier, is the user made, granted, now, budget window, day, admitted at, limit, spent, held,
-- messages' limit and number, requests', active ones', how many of the ids for later have holds now.
-- All or nothing: a refusal writes nothing; only holds whose lease ran out are marked, which leaves what remains as it
-- was. A request id that has a live hold gets its first answer again and no second hold.
-- Every request runs this: it is written without functions of its own but one, because Lua makes them anew each time.
local DAY_MS, MINUTE_MS, DAY_MINUTES = 86400000, 60000, 1440
local SWEEP_MS = 1000 -- so often at most
local MONEY_MAX = 8e15 -- spent and held together: below 2^53, which a Lua number counts exactly
local WINDOWS = 4 -- so many windows of one length keep their sums
local LATER, LATER_FIELD, LATER_SHARE = 18, 10, 8 -- the share: what later requests hold is at most such a part of what is left
local LEASE = '^L\n(%d+)\n(%d+)\n%d\n%-?%d+\n(%S+)\n'
local HOLD = '^L\n(%d+)\n(%d+)\n%d\n%-?%d+\n(%S+)\n(%S+)\n(%d+)\n(%d)\n%d+\n([^\n]*)\n'

local call, format, match = redis.call, string.format, string.match
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

local now = number(ARGV[1])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local account, id, tier, budget, day, day_starts = KEYS[2], ARGV[2], ARGV[4], ARGV[6], ARGV[7], number(ARGV[8])
local hold, least, flags = number(ARGV[9]), number(ARGV[10]), ARGV[12]
local make, message = flags == '1' or flags == '3', flags >= '2'
local held_sum, unconfirmed_sum, spent_sum = 'held|' .. budget, 'unconfirmed|' .. budget, 'spent|' .. budget
local messages_sum, delivered_sum = 'messages|' .. day, 'delivered|' .. day

local fields = {id, held_sum, unconfirmed_sum, spent_sum, messages_sum, delivered_sum, 'live|', 'next|', 'minute|',
    'requests|', unpack(ARGV, LATER)}
local open = call('HMGET', account, unpack(fields))

-- Marks holds whose lease ran out: they count as spent and unconfirmed. Nobody knows a lease's end without reading all
-- holds, so this is done when the earliest known end is past, and not again within SWEEP_MS.
if number(open[7]) > 0 and number(open[8]) <= now then
    local all, live, first, changed, moved = call('HGETALL', account), 0, nil, {}, {}
    for i = 1, #all, 2 do
        local lease_ends, amount, window = match(all[i + 1], LEASE)
        if not lease_ends and string.find(all[i + 1], '^L') then error('a hold this version cannot read') end
        if lease_ends and number(lease_ends) <= now then
            changed[#changed + 1], changed[#changed + 2] = all[i], 'X' .. string.sub(all[i + 1], 2)
            moved[window] = (moved[window] or 0) + amount
        elseif lease_ends then
            live, first = live + 1, math.min(first or number(lease_ends), number(lease_ends))
        end
    end
    local sums = {'live|', format('%d', live), 'next|', format('%d', math.max(first or 0, now + SWEEP_MS))}
    for window, amount in pairs(moved) do
        local held, unconfirmed = 'held|' .. window, 'unconfirmed|' .. window
        local known = call('HMGET', account, held, unconfirmed)
        for _, item in ipairs({held, format('%d', number(known[1]) - amount), unconfirmed, format('%d', number(known[2]) + amount)}) do
            sums[#sums + 1] = item
        end
    end
    for i = 1, #changed, 2 do call('HSET', account, changed[i], changed[i + 1]) end
    call('HSET', account, unpack(sums))
    open = call('HMGET', account, unpack(fields))
end
local user = call('HMGET', KEYS[1], 'status', 'tier', 'o_limit_nano_usd', 'o_messages_per_day',
    'o_requests_per_minute', 'o_max_concurrent', 'boost_nano_usd', 'boost_until_ms')
local status = user[1]

-- What the user may have: its own limits win over the tier's, a boost comes on top while it lasts.
for i = 3, 6 do if not user[i] or user[i] == '' then user[i] = ARGV[10 + i] end end
local limit, messages_limit, requests_limit = math.min(number(user[3]), MONEY_MAX), number(user[4]), number(user[5])
local active_limit = number(user[6])
if limit >= 0 and number(user[8]) > now then limit = math.min(limit + number(user[7]), MONEY_MAX) end
local enforced = limit >= 0 and ARGV[17] ~= '1'

-- What it has.
local held, spent = number(open[2]), number(open[3]) + number(open[4])
local messages, active = number(open[5]) + number(open[6]), number(open[7])
local minute = math.floor(now / MINUTE_MS)
local requests = number(open[9]) == minute and number(open[10]) or 0

if user[2] and user[2] ~= '' then tier = user[2] end -- a user without a tier of its own follows the default
local granted, created, admitted, told_budget, told_day, told_tier = 0, 0, now, budget, day, tier
if not status and not make then told_tier = '' end

-- Of several reasons the one that takes longest to go away is told.
local verdict = 'granted'
if id == '' then
    verdict = 'look'
elseif open[1] then
    local lease_ends, amount, held_budget, held_day, held_at, made, held_tier = match(open[1], HOLD)
    if not amount and not string.find(open[1], '^[XS]\n') then error('a hold this version cannot read') end
    if not amount or number(lease_ends) <= now then
        verdict = 'over'
    else
        granted, created, admitted = number(amount), number(made), number(held_at)
        told_budget, told_day, told_tier = held_budget, held_day, held_tier
    end
elseif call('SISMEMBER', KEYS[3], id) == 1 then verdict = 'over'
elseif not status and not make then verdict = 'no_user'
elseif status == 'disabled' then verdict = 'user_disabled'
elseif status and status ~= 'active' then error('a status this version does not write')
elseif tier ~= ARGV[4] then verdict = 'other_tier'
elseif now < day_starts or now >= day_starts + DAY_MS then verdict = 'other_period'
elseif enforced and spent + least > limit or spent + held + hold > MONEY_MAX then verdict = 'budget_spent'
elseif message and messages_limit >= 0 and messages >= messages_limit then verdict = 'messages_spent'
elseif requests_limit >= 0 and requests >= requests_limit then verdict = 'too_fast'
elseif active_limit >= 0 and active >= active_limit then verdict = 'too_many'
elseif enforced and spent + held + least > limit then verdict = 'budget_held'
end

local wanted, later = {}, #ARGV - LATER + 1
if verdict == 'granted' and not open[1] then
    wanted[1] = id
    granted = enforced and math.min(hold, limit - spent - held) or hold
    if not status then
        status, created = 'active', 1
        call('HSET', KEYS[1], 'status', status, 'tier', tier, 'created_at', format('%d', now))
    end
end

-- Holds for later only while there is plenty: they are in nobody's way.
if later > 0 then
    local room = math.min(later, (MONEY_MAX - spent - held) / math.max(hold, 1))
    if enforced then room = math.min(room, (limit - spent - held) / math.max(hold, 1) / LATER_SHARE) end
    if message and messages_limit >= 0 then room = math.min(room, (messages_limit - messages) / LATER_SHARE) end
    if requests_limit >= 0 then room = math.min(room, (requests_limit - requests) / LATER_SHARE) end
    if active_limit >= 0 then room = math.min(room, (active_limit - active) / LATER_SHARE) end
    if status ~= 'active' or tier ~= ARGV[4] or now < day_starts or now >= day_starts + DAY_MS then room = 0 end
    if number(user[8]) > now and number(user[8]) < now + ARGV[11] then room = 0 end -- a boost that ends soon
    later = math.max(math.floor(room), 0)
    for i = 1, later do
        if not open[LATER_FIELD + i] then wanted[#wanted + 1] = ARGV[LATER + i - 1] end
    end
end

if #wanted > 0 then
    -- A new day: the sums of windows long over go, those of one length ("2026-11", "2026-11-20") by themselves.
    if math.floor(number(open[9]) / DAY_MINUTES) ~= math.floor(minute / DAY_MINUTES) then
        local kinds = {}
        for _, field in ipairs(call('HKEYS', account)) do
            local name, window = match(field, '^(%l+|)(%d.*)$')
            if window and name ~= 'billed|' then
                local kind = name .. #window
                kinds[kind] = kinds[kind] or {}
                table.insert(kinds[kind], field)
            end
        end
        for _, fields in pairs(kinds) do
            table.sort(fields)
            for i = 1, #fields - WINDOWS do
                local holds_something = not string.find(fields[i], '^[sd]') and call('HGET', account, fields[i]) ~= '0'
                if not holds_something then call('HDEL', account, fields[i]) end
            end
        end
    end

    local lease_ends, first_ends = now + ARGV[11], number(open[8])
    if active == 0 or lease_ends < first_ends then first_ends = lease_ends end
    held, requests, active = held + (later > 0 and #wanted * hold or granted), requests + #wanted, active + #wanted
    local written = {held_sum, format('%d', held), 'live|', format('%d', active), 'next|', format('%d', first_ends), 'minute|',
        format('%d', minute), 'requests|', format('%d', requests)}
    if message then
        messages = messages + #wanted
        written[11], written[12] = messages_sum, format('%d', number(open[5]) + #wanted)
    end
    local record = format('L\n%d\n%d\n%s\n%d\n%s\n%s\n%d\n%d\n0\n%s\n%s\n\n%s', lease_ends, later > 0 and hold or granted,
        message and '1' or '0', limit, budget, day, now, later > 0 and 2 or created, tier, ARGV[3], ARGV[5])
    for _, taken in ipairs(wanted) do written[#written + 1], written[#written + 2] = taken, record end
    call('HSET', account, unpack(written))
end
return {verdict, status or '', told_tier, created, granted, now, told_budget, told_day, admitted, limit, spent, held,
    messages_limit, messages, requests_limit, requests, active_limit, active, later}
