-- Called by quota_expire in store/quota_read.c.
-- KEYS: leases, holds, expired. ARGV: now, how many at most.
-- Moves holds whose lease ran out from held to unconfirmed, then lists what is unconfirmed, the oldest first, again and
-- again until it is settled.
local HOLD = '^(%d+)\n%d\n%-?%d+\n(%S+)\n(%S+)\n(%d+)\n%d\n(%d+)\n([^\n]*)\n[^\n]*\n([^\n]*)\n(.*)$'

local function text(number) return string.format('%d', number) end
local function add(sum, by)
    if by ~= 0 and redis.call('HINCRBY', KEYS[2], sum, text(by)) == 0 then redis.call('HDEL', KEYS[2], sum) end
end

local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'WITHSCORES', 'LIMIT', '0', ARGV[2])
for i = 1, #due, 2 do
    local amount, window = string.match(redis.call('HGET', KEYS[2], due[i]) or '', HOLD)
    if not amount then error('a hold this version cannot read') end
    add('held|' .. window, -tonumber(amount))
    add('unconfirmed|' .. window, tonumber(amount))
    redis.call('ZREM', KEYS[1], due[i])
    redis.call('ZADD', KEYS[3], due[i + 1], due[i])
end
if #due > 0 then
    local first = redis.call('ZRANGE', KEYS[1], '0', '0', 'WITHSCORES')[2]
    if first then
        redis.call('HSET', KEYS[2], 'live|', text(redis.call('ZCARD', KEYS[1])), 'next|', first)
    else
        redis.call('HDEL', KEYS[2], 'live|', 'next|')
    end
end

local holds, old = {}, redis.call('ZRANGE', KEYS[3], '0', ARGV[2] - 1, 'WITHSCORES')
for i = 1, #old, 2 do
    local amount, budget, day, taken, version, tier, generation, model =
        string.match(redis.call('HGET', KEYS[2], old[i]) or '', HOLD)
    table.insert(holds, {'request_id', old[i], 'expired_ms', old[i + 1], 'amount', amount, 'budget', budget, 'day', day,
        'taken_ms', taken, 'key_version', version, 'tier', tier, 'generation', generation, 'model', model})
end
local more = redis.call('ZCARD', KEYS[3]) > #holds
local busy = more or redis.call('ZCARD', KEYS[1]) > 0
return {'busy', busy and '1' or '0', 'more', more and '1' or '0', 'now_ms', text(now), 'holds', holds}
