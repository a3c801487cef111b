-- Called by user_ensure in store/users.c.
-- KEYS: user. ARGV: now, tier ("" keeps what is there).
-- Repeating it is harmless; only `created` is told once.
local function clock()
    if ARGV[1] ~= '0' then return ARGV[1] end
    local time = redis.call('TIME')
    return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

local created = redis.call('HSETNX', KEYS[1], 'status', 'active') == 1
if created then
    redis.call('HSET', KEYS[1], 'tier', '', 'created_at', clock())
end
if ARGV[2] ~= '' then
    redis.call('HSET', KEYS[1], 'tier', ARGV[2])
end
return {'created', created and '1' or '0'}
