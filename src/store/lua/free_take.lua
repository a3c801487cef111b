-- Called by free_take in store/free_models.c.
-- KEYS: minute, the minute before, day, the day before. ARGV: now, user, request id, minute's limit, day's (-1: none).
-- Answers: verdict, window, now, when it comes back, limit, used, the user's share; of the day when it refuses, else of
-- the minute. Where both refuse, the day is told: it takes longer to go away.
-- A hash is one window: starts, used, askers, users (who asked in it or in the one before), closed_until, and by user
-- "u|<user>" what it used; the minute's has "r|<request id>" of what was granted: the same id counts once a minute. A
-- refusal makes its user one who asks, and counts nothing. All is read before anything is written.
local MINUTE_MS, DAY_MS = 60000, 86400000
local KEPT_MS = '172800000' -- two days: a day's hash is the day before's for one more

local call = redis.call
local function text(number) return string.format('%d', number) end
local function number(value) return tonumber(value or '0') or error('a number this version cannot read') end

local now = number(ARGV[1])
if now == 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local mine, request = 'u|' .. ARGV[2], 'r|' .. ARGV[3]

-- A clock that goes back a little opens no new window.
local function read(name, key, before, length, limit)
    local row = call('HMGET', key, 'starts', 'used', 'askers', 'users', 'closed_until', mine, request)
    local stored, starts = number(row[1]), now - now % length
    local w = {name = name, key = key, before = before, limit = limit, closed = number(row[5])}
    if stored >= starts and stored <= starts + length then
        w.starts, w.used, w.askers, w.users = stored, number(row[2]), number(row[3]), number(row[4])
        w.own, w.granted, w.asks_anew = number(row[6]), row[7], not row[6]
        w.is_known = row[6] or call('HEXISTS', before, mine) == 1
    else
        w.turns, w.follows, w.asks_anew = true, stored == starts - length, true
        w.starts, w.used, w.askers, w.own = starts, 0, 0, 0
        w.users = w.follows and number(row[3]) or 0
        w.is_known = w.follows and row[6]
    end
    if w.asks_anew then w.askers = w.askers + 1 end
    if not w.is_known then w.users = w.users + 1 end
    w.resets = w.starts + length
    w.share = limit > 0 and math.ceil(limit / w.users) or limit
    return w
end

-- The first half goes to whoever asks, of the rest nobody gets more than an equal share.
local function refusal(w)
    if w.limit >= 0 and w.used >= w.limit then return 'spent', math.max(w.resets, w.closed) end
    if w.closed > now then return 'closed', w.closed end
    if w.limit >= 0 and w.used * 2 >= w.limit and w.own >= w.share then return 'share_spent', w.resets end
end

local function write(w, granted)
    if granted then w.used, w.own = w.used + 1, w.own + 1 end
    if not granted and not w.asks_anew then return end
    if w.turns and w.follows then call('RENAME', w.key, w.before) end
    if w.turns and not w.follows then call('DEL', w.key, w.before) end
    local row = {'starts', text(w.starts), 'used', text(w.used), 'askers', text(w.askers), 'users', text(w.users),
        mine, text(w.own)}
    local function add(name, value) row[#row + 1], row[#row + 2] = name, value end
    if w.turns and w.closed > now then add('closed_until', text(w.closed)) end
    if granted and w.name == 'minute' then add(request, '1') end
    call('HSET', w.key, unpack(row))
    if w.turns then call('PEXPIRE', w.key, KEPT_MS) end
end

local minute = read('minute', KEYS[1], KEYS[2], MINUTE_MS, number(ARGV[4]))
local day = read('day', KEYS[3], KEYS[4], DAY_MS, number(ARGV[5]))
local function answer(w, verdict, resets)
    return {verdict, w.name, now, resets, w.limit, w.used, w.share}
end

if minute.granted then return answer(minute, 'granted', minute.resets) end
local verdict, resets = refusal(day)
if verdict then -- who has nothing left of the day takes no share of the minute
    write(day, false)
    return answer(day, verdict, resets)
end
verdict, resets = refusal(minute)
write(day, not verdict)
write(minute, not verdict)
return answer(minute, verdict or 'granted', resets or minute.resets)
