-- Called by user_set in store/users.c.
-- KEYS: user. ARGV: now, the tier of a user that is made ("": none is made), then field and value in turn ("" takes the
-- field away).
-- Answers what is there afterwards ("": not there; without a status there is no such user, and nothing was written),
-- and in `was` what the fields that were named had before, in their order. Repeating it is harmless; only `created` and
-- `was` are told once.
local FIELDS = {'status', 'tier', 'created_at', 'o_limit_nano_usd', 'o_messages_per_day', 'o_requests_per_minute',
    'o_max_concurrent', 'boost_nano_usd', 'boost_until_ms'}

local call = redis.call

local function clock()
    if ARGV[1] ~= '0' then return ARGV[1] end
    local time = call('TIME')
    return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

local created = ARGV[2] ~= '' and call('HSETNX', KEYS[1], 'status', 'active') == 1
if created then
    call('HSET', KEYS[1], 'tier', ARGV[2], 'created_at', clock())
end
local was = {}
if call('HEXISTS', KEYS[1], 'status') == 1 then
    for i = 3, #ARGV, 2 do
        was[#was + 1] = call('HGET', KEYS[1], ARGV[i]) or ''
        if ARGV[i + 1] == '' then
            call('HDEL', KEYS[1], ARGV[i])
        else
            call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
        end
    end
end
local answer = {'created', created and '1' or '0', 'was', was}
local values = call('HMGET', KEYS[1], unpack(FIELDS))
for i = 1, #FIELDS do
    answer[#answer + 1] = FIELDS[i]
    answer[#answer + 1] = values[i] or ''
end
return answer
