-- Called by quota_expire in store/quota_read.c.
-- KEYS: account. ARGV: now, how many at most, how long what is settled may take to be booked.
-- Marks holds whose lease ran out, then lists what is unconfirmed, again and again until it is settled: those whose
-- generation is known first, those taken ahead of which no request told last, the oldest first. And what was settled and nobody
-- booked.
local LEASE = '^([LX])\n(%d+)\n(%d+)\n%d\n%-?%d+\n(%S+)\n'
local HOLD = '^%u\n%d+\n(%d+)\n%d\n%-?%d+\n(%S+)\n(%S+)\n(%d+)\n(%d)\n(%d+)\n([^\n]*)\n[^\n]*\n([^\n]*)\n(.*)$'

local call = redis.call
local function text(number) return string.format('%d', number) end
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

local now, most = tonumber(ARGV[1]), tonumber(ARGV[2])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local all, live, first, moved, written = call('HGETALL', KEYS[1]), 0, nil, {}, {}
local old, old_count, unbooked, settled = {}, 0, {}, 0

-- Thousands may have run out with one instance: only the first are kept, in order.
local function keep(id, record, lease_ends)
    local amount, window, day, taken, made, version, tier, generation, model = string.match(record, HOLD)
    if not amount then error('a hold this version cannot read') end
    local ahead = made == '2' and version == '0' and generation == ''
    local rank, at = generation ~= '' and 0 or ahead and 2 or 1, #old
    old_count = old_count + 1
    while at > 0 and (rank < old[at].rank or rank == old[at].rank and
        (lease_ends < old[at].ends or lease_ends == old[at].ends and id < old[at].id)) do at = at - 1 end
    if at == most then return end
    table.insert(old, at + 1, {rank = rank, ends = lease_ends, id = id, told = {'request_id', id, 'expired_ms', text(lease_ends),
        'amount', amount, 'budget', window, 'day', day, 'taken_ms', taken, 'key_version', version, 'tier', tier,
        'generation', generation, 'model', model, 'ahead', ahead and '1' or '0'}})
    old[most + 1] = nil
end

for i = 1, #all, 2 do
    local id, record = all[i], all[i + 1]
    local kind = string.match(record, '^([LXS])\n')
    if kind == 'S' then
        settled = settled + 1
        if #unbooked < most and now - string.match(record, '^S\n(%d+)\n') >= tonumber(ARGV[3]) then
            unbooked[#unbooked + 1] = {id, record}
        end
    elseif kind then
        local state, lease_ends, amount, window = string.match(record, LEASE)
        if not state then error('a hold this version cannot read') end
        lease_ends = number(lease_ends)
        if state == 'L' and lease_ends <= now then
            state, moved[window] = 'X', (moved[window] or 0) + amount
            written[#written + 1] = {id, 'X' .. string.sub(record, 2)}
        end
        if state == 'L' then
            live, first = live + 1, math.min(first or lease_ends, lease_ends)
        else
            keep(id, record, lease_ends)
        end
    end
end

local holds = {}
for i, hold in ipairs(old) do holds[i] = hold.told end
for window, amount in pairs(moved) do
    local held, unconfirmed = 'held|' .. window, 'unconfirmed|' .. window
    local known = call('HMGET', KEYS[1], held, unconfirmed)
    written[#written + 1] = {held, text(number(known[1]) - amount)}
    written[#written + 1] = {unconfirmed, text(number(known[2]) + amount)}
end
for _, pair in ipairs(written) do call('HSET', KEYS[1], unpack(pair)) end
if next(moved) then call('HSET', KEYS[1], 'live|', text(live), 'next|', text(first or 0)) end

local more = old_count > #old
local busy = more or live > 0 or settled > 0
return {'busy', busy and '1' or '0', 'more', more and '1' or '0', 'now_ms', text(now), 'holds', holds,
    'unbooked', unbooked}
