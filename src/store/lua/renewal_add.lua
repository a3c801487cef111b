-- Called by renewal_index_add in store/renewals.c.
-- KEYS: renewals. ARGV: now, member. A member keeps the time it first came.
local function clock()
    if ARGV[1] ~= '0' then return ARGV[1] end
    local time = redis.call('TIME')
    return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

redis.call('ZADD', KEYS[1], 'NX', clock(), ARGV[2])
return {}
