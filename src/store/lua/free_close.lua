-- Called by free_close in store/free_models.c.
-- KEYS: minute or day. ARGV: now, until when (0: OpenRouter did not say, so to the window's end), the window's length.
-- Answers: now, until when it is closed. Only ever later, and at most one window ahead, whatever OpenRouter says; a time
-- that is past closes nothing. free_take takes the field along when the window turns.
local KEPT_MS = '172800000' -- as in free_take.lua

local call = redis.call
local now, till, length = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
if till == 0 then till = now - now % length + length end
till = math.min(till, now + length)

local closed = tonumber(call('HGET', KEYS[1], 'closed_until') or '0')
if till > now and till > closed then
    closed = till
    call('HSET', KEYS[1], 'closed_until', string.format('%d', closed))
    if call('PTTL', KEYS[1]) < 0 then call('PEXPIRE', KEYS[1], KEPT_MS) end
end
return {now, closed}
