-- Called by key_claim in store/keys.c.
-- KEYS: record, renewal. ARGV: now, holder, nonce, name_head, reason, seen_version, lease_ms,
-- pace_ms, outcome_hold_ms.
-- The same holder and nonce get the same grant again while their lease lives.
local LEFTOVERS = 3 -- handed out at once: KEY_LIST_MAX less one, so that the new attempt's name still fits
-- What a released lease tells, and whom: that the key is healthy answers a refused key, that its limit stands a limit.
local HELD = {healthy = 'key', limit_stands = 'limit', unknown_health = 'both', switched_off = 'both',
    management_refused = 'both', create_failed = 'both'}

local function text(number) return string.format('%.0f', number) end
local function number(value) return tonumber(value or '0') end
local function read(key)
    local flat, map = redis.call('HGETALL', key), {}
    for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
    return map, flat
end

local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local holder, nonce, reason = ARGV[2], ARGV[3], ARGV[5]
local seen, lease, pace, hold = number(ARGV[6]), number(ARGV[7]), number(ARGV[8]), number(ARGV[9])
local record, record_flat = read(KEYS[1])
local renewal = read(KEYS[2])
local mend, raise = reason == 'mend', reason == 'raise'
if reason == 'provision' then seen = 0 end
-- Past what the asker saw, too: a store that lost its last writes must not give a version twice.
local version = math.max(number(record.version), seen) + 1

local function answer(verdict, field, value)
    return {'verdict', verdict, 'now_ms', text(now), field or 'outcome', value or 'none', 'record', record_flat}
end
local function grant(fence, name, leftover)
    return {'verdict', 'granted', 'now_ms', text(now), 'fence', fence, 'version', text(version), 'name', name,
        'leftover', leftover, 'doomed', renewal.doomed or '', 'record', record_flat}
end

if record.state == 'disabled' and not mend then return answer('disabled') end
local live = number(renewal.until_ms) > now
if live and renewal.holder == holder and renewal.nonce == nonce then
    return grant(renewal.fence, renewal.name or '', renewal.leftover or '')
end
if not mend and record.state == 'active' and number(record.version) > seen then return answer('newer') end
-- A holder has one renewal per user at a time: its own live lease is one whose release was lost.
if live and renewal.holder ~= holder then return answer('busy', 'wait_ms', text(number(renewal.until_ms) - now)) end
if not mend then
    local held = HELD[renewal.outcome]
    if held and held ~= (raise and 'key' or 'limit') and number(renewal.outcome_version) == seen
        and now - number(renewal.outcome_ms) < hold then
        return answer('outcome', 'outcome', renewal.outcome)
    end
    local rest = number(record.last_renewal_at) + pace - now
    if reason ~= 'provision' and not raise and rest > 0 and number(record.last_renewal_at) > 0 then
        return answer('paced', 'wait_ms', text(rest))
    end
end

-- Names whose end is unknown: those known as such, and that of an attempt which never came back.
local leftover, more = {}, {}
local unknown = table.concat({renewal.leftover or '', renewal.leftover_more or '', renewal.name or ''}, ' ')
for name in string.gmatch(unknown, '%S+') do
    if name ~= record.name then table.insert(#leftover < LEFTOVERS and leftover or more, name) end
end
leftover, more = table.concat(leftover, ' '), table.concat(more, ' ')
local fence = text(math.max(number(renewal.fence) + 1, now))
local name = mend and '' or table.concat({ARGV[4], 'v' .. text(version), fence, nonce}, '/')
redis.call('HSET', KEYS[2], 'fence', fence, 'holder', holder, 'nonce', nonce, 'until_ms', text(now + lease),
    'name', name, 'seen', text(seen), 'started_ms', text(now), 'leftover', leftover, 'leftover_more', more)
return grant(fence, name, leftover)
