-- Called by key_raised in store/keys.c.
-- KEYS: record. ARGV: now, version, limit_nano_usd, limit_reset.
-- Another version than the record's has another limit; writing only what changes spares the watchers.
local function clock()
    if ARGV[1] ~= '0' then return ARGV[1] end
    local time = redis.call('TIME')
    return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

local there = redis.call('HMGET', KEYS[1], 'version', 'limit_nano_usd', 'limit_reset')
if there[1] ~= ARGV[2] then return {'noted', '0'} end
if there[2] ~= ARGV[3] or there[3] ~= ARGV[4] then
    redis.call('HSET', KEYS[1], 'limit_nano_usd', ARGV[3], 'limit_reset', ARGV[4], 'updated_at', clock())
end
return {'noted', '1'}
