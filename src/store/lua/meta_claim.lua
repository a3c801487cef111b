-- Called by meta_claim in store/meta.c, once when an instance starts.
-- KEYS: meta. ARGV: now (not used), deployment, schema, environment, upstream, check.
-- The founder's repeat is told "founded" again: the deployment is random, so it is nobody else's.
local SCANS = 100 -- of 1000: looks at a bounded part of a store that others use too

if string.format('%d', 2 ^ 52) ~= '4503599627370496' then error('amounts need a Redis of 64 bits') end

local function has_others()
    local cursor, found = '0', nil
    for _ = 1, SCANS do
        cursor, found = unpack(redis.call('SCAN', cursor, 'MATCH', 'kt:*', 'COUNT', '1000'))
        if #found > 0 then return true end
        if cursor == '0' then return false end
    end
    return false
end

local founded = redis.call('HGET', KEYS[1], 'deployment')
if not founded then
    if has_others() then return {'foreign', '1', 'founded', '0', 'meta', {}} end
    redis.call('HSET', KEYS[1], 'deployment', ARGV[2], 'schema', ARGV[3], 'environment', ARGV[4],
        'upstream', ARGV[5], 'check', ARGV[6])
    founded = ARGV[2]
end
-- Commands that only visit found it without saying for which upstream; the first server does.
if redis.call('HGET', KEYS[1], 'upstream') == '' and ARGV[5] ~= '' then
    redis.call('HSET', KEYS[1], 'environment', ARGV[4], 'upstream', ARGV[5])
end
return {'foreign', '0', 'founded', founded == ARGV[2] and '1' or '0', 'meta', redis.call('HGETALL', KEYS[1])}
