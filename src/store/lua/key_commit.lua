-- Called by key_commit in store/keys.c.
-- KEYS: record, renewal. ARGV: now, fence, version, hash, sealed, name, limit_nano_usd, limit_reset,
-- expires_at, auto_renewed, last_renewal_at, leftover, doomed hash.
-- A commit that was applied answers "not fenced" however often and however late it is repeated, as long as its key
-- is the record's: the asker would delete that key otherwise.
local function clock()
    if ARGV[1] ~= '0' then return ARGV[1] end
    local time = redis.call('TIME')
    return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

local there = redis.call('HMGET', KEYS[1], 'version', 'hash', 'state')
if there[1] == ARGV[3] and there[2] == ARGV[4] then return {'fenced', '0'} end
if redis.call('HGET', KEYS[2], 'fence') ~= ARGV[2] or tonumber(there[1] or '0') >= tonumber(ARGV[3])
    or there[3] == 'disabled' then
    return {'fenced', '1'}
end

local now = clock()
redis.call('HSETNX', KEYS[1], 'created_at', now)
redis.call('HSET', KEYS[1], 'state', 'active', 'version', ARGV[3], 'hash', ARGV[4], 'sealed', ARGV[5],
    'name', ARGV[6], 'limit_nano_usd', ARGV[7], 'limit_reset', ARGV[8], 'expires_at', ARGV[9],
    'updated_at', now, 'auto_renewed', ARGV[10],
    'last_renewal_at', ARGV[10] == '1' and now or ARGV[11], 'proven', '0')

local doomed, hash = redis.call('HGET', KEYS[2], 'doomed') or '', ARGV[13]
if hash ~= '' and not string.find(' ' .. doomed .. ' ', ' ' .. hash .. ' ', 1, true) then
    doomed = doomed == '' and hash or doomed .. ' ' .. hash
end
redis.call('HDEL', KEYS[2], 'holder', 'nonce', 'until_ms', 'name', 'seen', 'started_ms')
redis.call('HSET', KEYS[2], 'leftover', ARGV[12], 'doomed', doomed,
    'outcome', 'renewed', 'outcome_ms', now, 'outcome_version', ARGV[3])
return {'fenced', '0'}
