-- Called by key_proven in store/keys.c.
-- KEYS: record, renewal. ARGV: now (not used), version.
-- Another version than the record's is nobody's news; writing only once spares the watchers.
local there = redis.call('HMGET', KEYS[1], 'version', 'proven')
if there[1] ~= ARGV[2] then return {'doomed', ''} end
if there[2] ~= '1' then redis.call('HSET', KEYS[1], 'proven', '1') end
return {'doomed', redis.call('HGET', KEYS[2], 'doomed') or ''}
