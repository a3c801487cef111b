-- Called by quota_extend and quota_leave in store/quota.c.
-- KEYS: account. ARGV: now, request id, lease_ms, generation id ("" keeps it), key version (0 keeps it), is its message
-- given back.
-- A lease that ran out stays so, marked or not; a lease is never made shorter. Repeating is harmless.
local HOLD = '^([LX])\n(%d+)\n(%d+)\n(%d)\n(%-?%d+\n%S+\n(%S+)\n%d+\n%d)\n(%d+)\n([^\n]*\n[^\n]*)\n([^\n]*)\n(.*)$'

local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local hold = redis.call('HGET', KEYS[1], ARGV[2])
if not hold or string.find(hold, '^S\n') then return {'alive', '0'} end
local state, lease_ends, amount, message, middle, day, version, whose, generation, model = string.match(hold, HOLD)
if not state then error('a hold this version cannot read') end
if ARGV[4] ~= '' then generation = string.gsub(ARGV[4], '%c', ' ') end
if ARGV[5] ~= '0' then version = ARGV[5] end
if ARGV[6] == '1' and message == '1' then
    message = '0'
    redis.call('HINCRBY', KEYS[1], 'messages|' .. day, '-1')
end
local alive = state == 'L' and tonumber(lease_ends) > now
if alive then lease_ends = string.format('%d', math.max(lease_ends, now + ARGV[3])) end
local changed = table.concat({state, lease_ends, amount, message, middle, version, whose, generation, model}, '\n')
if changed ~= hold then redis.call('HSET', KEYS[1], ARGV[2], changed) end
return {'alive', alive and '1' or '0'}
