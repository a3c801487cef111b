-- Called by holders_due in store/quota_read.c.
-- KEYS: holders. ARGV: now, how many at most, how many to pass over. The longest due first.
local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', ARGV[3], ARGV[2])
