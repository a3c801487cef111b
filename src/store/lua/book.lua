-- Called by book_settlement in store/books.c.
-- KEYS: ledger, the day's seen ids, the day's sums by user and all others, the same two of the month.
-- ARGV: now (not used), request id, user, tier, model, day, finished_ms, cost, prompt, cached, completion, reasoning,
-- source, is it another day already.
-- Answers whether it was booked before, and the cost that is booked. Books once per request id. What was never sent is in the ledger but is no request
-- in the sums. All is read before anything is written: what cannot be read is refused whole.
local SEEN_MS = '345600000' -- 4 days: what is booked on its day is kept for more than 48 hours, a straggler sets it anew
local LEDGER_MAX = '1000000' -- entries, about
local DAYS_MS = '34560000000' -- a day's sums, 400 days; months stay
local FIELDS_MAX = 6000 -- models that come after that are summed as "other"
local SUMS = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'
local EXACT = 9007199254740992 -- 2^53

local call = redis.call
local user, day, sent = ARGV[3], ARGV[6], ARGV[13] ~= 'nothing_sent'
local cost, prompt, cached = tonumber(ARGV[8]), math.max(ARGV[9], 0), math.max(ARGV[10], 0)
local completion, reasoning = math.max(ARGV[11], 0), math.max(ARGV[12], 0)

-- A fleet may spend more than a Lua number counts exactly; then the last nine digits are added for themselves.
local function exact(before)
    local low = string.sub(before, -9) + cost % 1e9
    return string.format('%d%09d', string.sub(before, 1, -10) + math.floor(cost / 1e9) + math.floor(low / 1e9), low % 1e9)
end
local function added(row)
    if not row then return string.format('1 %d %d %d %d %d', cost, prompt, cached, completion, reasoning) end
    local requests, before, prompts, cacheds, completions, reasonings = string.match(row, SUMS)
    if not requests then error('sums this version cannot read') end
    local costs = before + cost
    return string.format('%d %s %d %d %d %d', requests + 1, costs < EXACT and string.format('%d', costs) or exact(before),
        prompts + prompt, cacheds + cached, completions + completion, reasonings + reasoning)
end
local function pair_in(key)
    local name = ARGV[4] .. '\n' .. ARGV[5]
    local row = call('HGET', key, name)
    if not row and call('HLEN', key) >= FIELDS_MAX then
        name = ARGV[4] .. '\nother'
        row = call('HGET', key, name)
    end
    return name, added(row)
end

local day_user, day_name, day_pair, month_user, month_name, month_pair, date, date_row
if sent then
    day_user, month_user = added(call('HGET', KEYS[3], user)), added(call('HGET', KEYS[5], user))
    day_name, day_pair = pair_in(KEYS[4])
    month_name, month_pair = pair_in(KEYS[6])
    date = call('HGET', KEYS[6], day)
    date_row = added(date)
end

if call('HSETNX', KEYS[2], ARGV[2], ARGV[8]) == 0 then return {'already', '1', 'cost', call('HGET', KEYS[2], ARGV[2])} end
if not date or ARGV[14] == '1' then call('PEXPIRE', KEYS[2], SEEN_MS) end
call('XADD', KEYS[1], 'MAXLEN', '~', LEDGER_MAX, '*', 'request_id', ARGV[2], 'user', user, 'tier', ARGV[4], 'model',
    ARGV[5], 'day', day, 'finished_ms', ARGV[7], 'cost_nano_usd', ARGV[8], 'prompt', ARGV[9], 'cached', ARGV[10],
    'completion', ARGV[11], 'reasoning', ARGV[12], 'source', ARGV[13])
if sent then
    call('HSET', KEYS[3], user, day_user)
    call('HSET', KEYS[4], day_name, day_pair)
    call('HSET', KEYS[5], user, month_user)
    call('HSET', KEYS[6], month_name, month_pair, day, date_row)
    if not date then
        call('PEXPIRE', KEYS[3], DAYS_MS)
        call('PEXPIRE', KEYS[4], DAYS_MS)
    end
end
return {'already', '0', 'cost', ARGV[8]}
