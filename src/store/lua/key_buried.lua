-- Called by key_buried in store/keys.c.
-- KEYS: renewal. ARGV: now, hash ("" only asks whether all is settled).
-- Burying twice is burying once.
local function clock()
    if ARGV[1] ~= '0' then return tonumber(ARGV[1]) end
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local there = redis.call('HMGET', KEYS[1], 'doomed', 'leftover', 'leftover_more', 'name', 'until_ms')
local left = {}
for hash in string.gmatch(there[1] or '', '%S+') do
    if hash ~= ARGV[2] then table.insert(left, hash) end
end
left = table.concat(left, ' ')
if left ~= (there[1] or '') then redis.call('HSET', KEYS[1], 'doomed', left) end
local open = left .. (there[2] or '') .. (there[3] or '') .. (there[4] or '')
local live = tonumber(there[5] or '0') > clock()
return {'settled', open == '' and not live and '1' or '0'}
