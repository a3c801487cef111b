-- Called by user_admit in store/users.c.
-- KEYS: user. ARGV: now, default tier ("" leaves unknown users unknown).
-- Repeating it is harmless; only `created` is told once.
local function clock()
    if ARGV[1] ~= '0' then return ARGV[1] end
    local time = redis.call('TIME')
    return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

local user = redis.call('HMGET', KEYS[1], 'status', 'tier')
if user[1] then
    local tier = user[2]
    if not tier or tier == '' then tier = ARGV[2] end -- a user without a tier of its own follows the default
    return {'status', user[1], 'tier', tier, 'created', '0'}
end
if ARGV[2] == '' then
    return {'status', 'unknown', 'tier', '', 'created', '0'}
end
redis.call('HSET', KEYS[1], 'status', 'active', 'tier', ARGV[2], 'created_at', clock())
return {'status', 'active', 'tier', ARGV[2], 'created', '1'}
