-- Called by quota_admit and quota_look in store/quota.c.
-- KEYS: user, budget, day, leases, holds, expired, settled.
-- ARGV: now, request id ("" only looks), holder, tier, model, budget window, day (which is within it), when it starts,
-- hold, least, lease_ms, flags (1: make the user, 2: is a message), limit, messages, requests, concurrent, overage.
-- Answers: verdict, status, tier, is the user made, granted, now, budget window, day, admitted at, limit, spent, held,
-- messages' limit and number, requests', active ones'.
-- All or nothing: a refusal writes nothing; only holds whose lease ran out are moved (SWEPT of them), which leaves what
-- remains as it was. A request id that has a live hold gets its first answer again and no second hold.
local SWEPT = 16
local DAY_MS, MINUTE_MS = 86400000, 60000
local KEPT_MS = 3974400000 -- a day's key: 46 days, 1 + 45
local MONEY_MAX = 8e15 -- spent and held together: below 2^53, which a Lua number counts exactly
local HOLD = '^(%d+)\n(%d)\n(%-?%d+)\n(%S+)\n(%S+)\n(%d+)\n(%d)\n%d+\n([^\n]*)\n'

local call = redis.call
local function text(number) return string.format('%d', number) end
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

-- The sums of open holds stand beside the holds, so that each hold is taken from the sum it was added to.
local function add(sum, by)
    if by ~= 0 and call('HINCRBY', KEYS[5], sum, text(by)) == 0 then call('HDEL', KEYS[5], sum) end
end

-- Gives how many leases did not run out and when the first that is still there ends.
local function sweep(now)
    local due = call('ZRANGEBYSCORE', KEYS[4], '-inf', text(now), 'WITHSCORES', 'LIMIT', '0', SWEPT)
    for i = 1, #due, 2 do
        local amount, _, _, window = string.match(call('HGET', KEYS[5], due[i]) or '', HOLD)
        if not amount then error('a hold this version cannot read') end
        add('held|' .. window, -number(amount))
        add('unconfirmed|' .. window, number(amount))
        call('ZREM', KEYS[4], due[i])
        call('ZADD', KEYS[6], due[i + 1], due[i])
    end
    local first = call('ZRANGE', KEYS[4], '0', '0', 'WITHSCORES')[2]
    if #due > 0 and first then
        call('HSET', KEYS[5], 'live|', text(call('ZCARD', KEYS[4])), 'next|', first)
    elseif not first then
        call('HDEL', KEYS[5], 'live|', 'next|')
    end
    return call('ZCOUNT', KEYS[4], '(' .. text(now), '+inf'), number(first)
end

local now = number(ARGV[1])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local id, tier, budget, day, day_starts = ARGV[2], ARGV[4], ARGV[6], ARGV[7], number(ARGV[8])
local hold, least = number(ARGV[9]), number(ARGV[10])
local make, message = ARGV[12] % 2 == 1, ARGV[12] >= '2'
local held_sum, unconfirmed_sum, messages_sum = 'held|' .. budget, 'unconfirmed|' .. budget, 'messages|' .. day
local open = call('HMGET', KEYS[5], id, held_sum, unconfirmed_sum, messages_sum, 'live|', 'next|')
local active, first_ends = number(open[5]), number(open[6])
if active > 0 and first_ends <= now then
    active, first_ends = sweep(now)
    open = call('HMGET', KEYS[5], id, held_sum, unconfirmed_sum, messages_sum, 'live|')
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
local spent = number(call('HGET', KEYS[2], 'spent')) + number(open[3])
local held = number(open[2])
local today = call('HMGET', KEYS[3], 'messages', 'minute', 'requests')
local messages = number(today[1]) + number(open[4])
local minute = text(math.floor(now / MINUTE_MS))
local requests = today[2] == minute and number(today[3]) or 0

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
    if number(call('ZSCORE', KEYS[4], id)) <= now then return answer('over') end
    local amount, _, _, held_budget, held_day, held_at, made, held_tier = string.match(open[1], HOLD)
    if not amount then error('a hold this version cannot read') end
    granted, created, admitted = number(amount), number(made), number(held_at)
    told_budget, told_day, told_tier = held_budget, held_day, held_tier
    return answer('granted')
end
if call('ZSCORE', KEYS[7], id) then return answer('over') end
local verdict = refusal()
if verdict then return answer(verdict) end

granted = enforced and math.min(hold, limit - spent - held) or hold
if not status then
    status, created = 'active', 1
    call('HSET', KEYS[1], 'status', status, 'tier', tier, 'created_at', text(now))
end
held, requests, active = held + granted, requests + 1, active + 1
local live, lease_ends = number(open[5]) + 1, now + ARGV[11]
if live == 1 or lease_ends < first_ends then first_ends = lease_ends end
local record = table.concat({text(granted), message and '1' or '0', text(limit), budget, day, text(now),
    text(created), '0', tier, ARGV[3], '', ARGV[5]}, '\n')
local written = {id, record, 'live|', text(live), 'next|', text(first_ends)}
if granted > 0 then
    written[7], written[8] = held_sum, text(held)
end
if message then
    messages = messages + 1
    written[#written + 1] = messages_sum
    written[#written + 1] = text(number(open[4]) + 1)
end
call('HSET', KEYS[5], unpack(written))
call('ZADD', KEYS[4], text(lease_ends), id)
call('HSET', KEYS[3], 'minute', minute, 'requests', text(requests))
if not today[1] and not today[2] then call('PEXPIRE', KEYS[3], text(KEPT_MS)) end
return answer('granted')
