-- Called by token_save in store/tokens.c.
-- KEYS: token. ARGV: now, mac, kid, user, kind, status, created_at ("0": now), expires_at.
-- The same token again is "saved" again; another token under this id is "taken" and nothing is written.
local function clock()
    if ARGV[1] ~= '0' then return ARGV[1] end
    local time = redis.call('TIME')
    return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

local there = redis.call('HMGET', KEYS[1], 'mac', 'user')
if there[1] then
    return there[1] == ARGV[2] and there[2] == ARGV[4] and 'saved' or 'taken'
end
redis.call('HSET', KEYS[1], 'mac', ARGV[2], 'kid', ARGV[3], 'user', ARGV[4], 'kind', ARGV[5],
    'status', ARGV[6], 'created_at', ARGV[7] ~= '0' and ARGV[7] or clock(), 'expires_at', ARGV[8])
return 'saved'
