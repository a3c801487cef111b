-- Called by key_release in store/keys.c.
-- KEYS: renewal. ARGV: now, fence, seen_version, outcome, leftover.
-- Repeating it under the same fence is the same again.
local function clock()
    if ARGV[1] ~= '0' then return ARGV[1] end
    local time = redis.call('TIME')
    return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[2] then return {'fenced', '1'} end
redis.call('HDEL', KEYS[1], 'holder', 'nonce', 'until_ms', 'name', 'seen', 'started_ms')
redis.call('HSET', KEYS[1], 'leftover', ARGV[5], 'outcome', ARGV[4], 'outcome_ms', clock(),
    'outcome_version', ARGV[3])
return {'fenced', '0'}
