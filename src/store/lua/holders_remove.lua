-- Called by holders_remove in store/quota_read.c.
-- KEYS: holders. ARGV: now, user. One that was added again meanwhile is not due any more, and stays.
local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local till = redis.call('ZSCORE', KEYS[1], ARGV[2])
if till and tonumber(till) <= now then redis.call('ZREM', KEYS[1], ARGV[2]) end
return {}
