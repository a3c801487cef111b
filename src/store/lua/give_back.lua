-- Called by quota_give_back in store/quota_ahead.c.
-- KEYS: account. ARGV: now (not used), then the ids of holds that were taken for later and that no request has used.
-- They go as if they had never been taken, even from the minute they were counted in. What is not there, or settled, stays as
-- it is, so repeating is harmless. Answers how many went.
local HOLD = '^([LX])\n%d+\n(%d+)\n(%d)\n%-?%d+\n(%S+)\n(%S+)\n(%d+)\n'

local call, format = redis.call, string.format
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

local ids, account = {unpack(ARGV, 2)}, KEYS[1]
local records, minute = call('HMGET', account, unpack(ids)), call('HGET', account, 'minute|')
local sums, gone = {}, {}
local function less(field, by)
    sums[field] = (sums[field] or number(call('HGET', account, field))) - by
end

for i, record in ipairs(records) do
    local state, amount, message, window, day, admitted = string.match(record or '', HOLD)
    if state then
        less((state == 'L' and 'held|' or 'unconfirmed|') .. window, amount)
        if state == 'L' then less('live|', 1) end
        if message == '1' then less('messages|' .. day, 1) end
        if math.floor(admitted / 60000) == number(minute) then less('requests|', 1) end
        gone[#gone + 1] = ids[i]
    end
end
if #gone == 0 then return 0 end

local written = {}
for field, sum in pairs(sums) do written[#written + 1], written[#written + 2] = field, format('%d', sum) end
call('HSET', account, unpack(written))
call('HDEL', account, unpack(gone))
return #gone
