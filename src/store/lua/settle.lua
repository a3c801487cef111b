-- Called by quota_settle in store/quota_settle.c.
-- KEYS: account, the day's settled ids, the month's usage.
-- ARGV: now, budget window, day, version of the user's own key (0: it did not run on that), is it another day already;
-- then of each settlement: request id, model, cost, delivered, prompt, cached, completion, reasoning, tier,
-- finished_ms, source.
-- Answers: spent, held; then of each settlement whether it was settled before (0, 1), and what is to be known of that:
-- the limit at admission, or what is settled and not booked yet ('': it is booked).
-- Charges once per request id, whatever became of the hold. In its place stands what is to be booked, until it is.
-- Without a hold (lost with the store) the record alone says whether a message counts, and nobody knows the limit. All
-- is read before anything is written: a sum that cannot be read is refused whole.
local SETTLED_MS, USAGE_MS = '345600000', '34560000000' -- 4 days: what is settled on its day is known for 48 hours; 400 days
local USAGE_MAX = 3000 -- fields; models that come after that are summed as "other"
local BILLED_KEPT = 3 -- versions of the key
local HOLD = '^([LX])\n%d+\n(%d+)\n(%d)\n(%-?%d+)\n(%S+)\n(%S+)\n'
local ROW = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'
local FIRST, WIDTH = 6, 11

local call, format, find, match = redis.call, string.format, string.find, string.match
local concat, max = table.concat, math.max
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

local now = number(ARGV[1])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local account, budget, day, version = KEYS[1], ARGV[2], ARGV[3], ARGV[4]
local held_sum, unconfirmed_sum, spent_sum = 'held|' .. budget, 'unconfirmed|' .. budget, 'spent|' .. budget
local delivered_sum, billed_sum = 'delivered|' .. day, 'billed|' .. version

-- What there is: the sums, by their fields, and what stands in place of each request.
local fields, ids = {held_sum, unconfirmed_sum, spent_sum, delivered_sum, billed_sum, 'messages|' .. day, 'live|'}, {}
local sum_count = #fields
for at = FIRST, #ARGV, WIDTH do
    ids[#ids + 1] = ARGV[at]
    fields[#fields + 1] = ARGV[at]
end
local open, known = call('HMGET', account, unpack(fields)), call('SMISMEMBER', KEYS[2], unpack(ids))
local sums, changed = {}, {}
for i = 1, sum_count do sums[fields[i]] = number(open[i]) end
local function add(field, value)
    if not sums[field] then sums[field] = number(call('HGET', account, field)) end -- of another window
    sums[field] = sums[field] + value
    changed[field] = true
end

-- The month's row of a model. Those that come when there are many share one.
local rows, renews = {}, false
local function row_of(model)
    local name = day .. '\n' .. model
    if rows[name] then return name end
    rows[name] = call('HGET', KEYS[3], name)
    if not rows[name] and call('HLEN', KEYS[3]) >= USAGE_MAX then
        rows[name], name = nil, day .. '\nother'
        rows[name] = rows[name] or call('HGET', KEYS[3], name)
    end
    renews = renews or not rows[name]
    rows[name] = rows[name] or '0 0 0 0 0 0'
    return name
end

local answer, written, fresh, settled = {0, 0}, {}, {}, {}
for i, id in ipairs(ids) do
    local at, hold, limit = FIRST + (i - 1) * WIDTH, settled[id] or open[sum_count + i], -1
    if hold and find(hold, '^S\n') then
        answer[2 * i + 1], answer[2 * i + 2] = 1, hold
    elseif known[i] == 1 then
        answer[2 * i + 1], answer[2 * i + 2] = 1, ''
    else
        local cost, delivered = number(ARGV[at + 2]), ARGV[at + 3] == '1'
        if hold then
            local state, amount, message, held_limit, window, held_day = match(hold, HOLD)
            if not amount then error('a hold this version cannot read') end
            limit, delivered = number(held_limit), delivered and message == '1'
            add((state == 'L' and 'held|' or 'unconfirmed|') .. window, -amount)
            if state == 'L' then add('live|', -1) end
            if message == '1' then add('messages|' .. held_day, -1) end
        end
        if cost > 0 then add(spent_sum, cost) end
        if cost > 0 and version ~= '0' then add(billed_sum, cost) end
        if delivered then add(delivered_sum, 1) end
        if ARGV[at + 10] ~= 'nothing_sent' then
            local name = row_of(ARGV[at + 1])
            local requests, costs, prompt, cached, completion, reasoning = match(rows[name], ROW)
            if not requests then error('sums this version cannot read') end
            rows[name] = format('%d %d %d %d %d %d', requests + 1, costs + cost, prompt + max(ARGV[at + 4], 0),
                cached + max(ARGV[at + 5], 0), completion + max(ARGV[at + 6], 0), reasoning + max(ARGV[at + 7], 0))
        end
        settled[id] = format('S\n%d\n%s\n%s\n%s\n%s\n%s', now, budget, day, concat(ARGV, '\n', at + 1, at + 7), version,
            concat(ARGV, '\n', at + 8, at + 10))
        fresh[#fresh + 1], written[#written + 1], written[#written + 2] = id, id, settled[id]
        answer[2 * i + 1], answer[2 * i + 2] = 0, limit
    end
end
answer[1], answer[2] = sums[spent_sum] + sums[unconfirmed_sum], sums[held_sum]
if #fresh == 0 then return answer end

call('SADD', KEYS[2], unpack(fresh))
for field in pairs(changed) do written[#written + 1], written[#written + 2] = field, format('%d', sums[field]) end
written[#written + 1], written[#written + 2] = 'settled|', format('%d', now)
call('HSET', account, unpack(written))
if changed[billed_sum] and not open[5] and number(version) > BILLED_KEPT then
    call('HDEL', account, 'billed|' .. format('%d', version - BILLED_KEPT))
end
local counted = {}
for name, row in pairs(rows) do counted[#counted + 1], counted[#counted + 2] = name, row end
if #counted > 0 then call('HSET', KEYS[3], unpack(counted)) end
if renews then call('PEXPIRE', KEYS[3], USAGE_MS) end
if renews or #counted == 0 or ARGV[5] == '1' then call('PEXPIRE', KEYS[2], SETTLED_MS) end
return answer
