-- Called by quota_billed in store/quota_read.c.
-- KEYS: leases, holds, settled. ARGV: now, key version.
-- Answers: how many holds are live, what settlements cost with the key of that version, when the last settlement was (0:
-- none that is known), now. Changes nothing.
local call = redis.call
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

local now = number(ARGV[1])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local live = call('ZCOUNT', KEYS[1], '(' .. string.format('%d', now), '+inf')
local billed = number(call('HGET', KEYS[2], 'billed|' .. ARGV[2]))
return {live, billed, number(call('ZREVRANGE', KEYS[3], '0', '0', 'WITHSCORES')[2]), now}
