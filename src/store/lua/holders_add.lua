-- Called by holders_add in store/quota_read.c.
-- KEYS: holders. ARGV: now, user, after_ms. Only ever later.
local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local till = now + ARGV[3]
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or '0') < till then
    redis.call('ZADD', KEYS[1], string.format('%.0f', till), ARGV[2])
end
return {}
