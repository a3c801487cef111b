-- Called by sweeper_claim in store/renewals.c.
-- KEYS: sweeper, holding "<until_ms> <holder>". ARGV: now, holder, lease_ms.
-- The holder's own repeat extends. Redis' own expiry only tidies up, and not under a clock moved by hand.
local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local till, holder = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (.+)$')
if till and tonumber(till) > now and holder ~= ARGV[2] then return {'granted', '0'} end
local value = string.format('%.0f %s', now + tonumber(ARGV[3]), ARGV[2])
if ARGV[1] == '0' then
    redis.call('SET', KEYS[1], value, 'PX', ARGV[3])
else
    redis.call('SET', KEYS[1], value)
end
return {'granted', '1'}
