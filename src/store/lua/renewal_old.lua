-- Called by renewal_index_old in store/renewals.c.
-- KEYS: renewals. ARGV: now, age_ms, how many at most, how many to pass over.
local function clock()
    if ARGV[1] ~= '0' then return tonumber(ARGV[1]) end
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local before = string.format('(%.0f', clock() - tonumber(ARGV[2]))
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'LIMIT', ARGV[4], ARGV[3])
