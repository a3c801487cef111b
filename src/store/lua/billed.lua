-- Called by quota_billed in store/quota_read.c.
-- KEYS: account. ARGV: now, key version.
-- Answers: how many holds are live, what settlements cost with the key of that version, when the last settlement was (0:
-- none that is known), now. Changes nothing.
local call = redis.call
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

local now = number(ARGV[1])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local known = call('HMGET', KEYS[1], 'billed|' .. ARGV[2], 'settled|')
local live = 0
for _, record in ipairs(call('HVALS', KEYS[1])) do
    local lease_ends = string.match(record, '^L\n(%d+)\n')
    if lease_ends and number(lease_ends) > now then live = live + 1 end
end
return {live, number(known[1]), number(known[2]), now}
