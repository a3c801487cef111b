-- Called by holders_due in store/quota_read.c.
-- KEYS: holders. ARGV: now, how many at most, from which time on, how many of that time to pass over. The longest due first.
-- Answers users, each with its time. A page begins at a time and not at a place: places are counted from the first.
local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

return redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[3], string.format('%.0f', now), 'WITHSCORES', 'LIMIT', ARGV[4], ARGV[2])
