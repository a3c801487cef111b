-- Called by quota_extend and quota_leave in store/quota.c.
-- KEYS: leases, holds. ARGV: now, request id, lease_ms, generation id ("" keeps it), key version (0 keeps it), is its
-- message given back.
-- A lease that ran out stays so, swept or not; a lease is never made shorter. Repeating is harmless.
local HOLD = '^(%d+\n%d\n%-?%d+\n%S+\n%S+\n%d+\n%d\n)(%d+)(\n[^\n]*\n[^\n]*\n)([^\n]*)(\n.*)$'
local MESSAGE = '^(%d+\n)1(\n%-?%d+\n%S+\n(%S+)\n.*)$'

local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local hold = redis.call('HGET', KEYS[2], ARGV[2])
if not hold then return {'alive', '0'} end
local head, version, middle, generation, tail = string.match(hold, HOLD)
if not head then error('a hold this version cannot read') end
if ARGV[4] ~= '' then generation = string.gsub(ARGV[4], '%c', ' ') end
if ARGV[5] ~= '0' then version = ARGV[5] end
local amount, rest, day = string.match(ARGV[6] == '1' and head or '', MESSAGE)
if amount then
    head = amount .. '0' .. rest
    local sum = 'messages|' .. day
    if redis.call('HINCRBY', KEYS[2], sum, '-1') == 0 then redis.call('HDEL', KEYS[2], sum) end
end
local changed = table.concat({head, version, middle, generation, tail})
if changed ~= hold then redis.call('HSET', KEYS[2], ARGV[2], changed) end

local lease = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or '0')
if lease <= now then return {'alive', '0'} end
if now + ARGV[3] > lease then redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[3]), ARGV[2]) end
return {'alive', '1'}
