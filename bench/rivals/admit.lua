-- One trip to Redis for a governed request of the Lua rivals: whose token is it, is there quota left in this
-- window, with what key to ask upstream.
-- KEYS[1] the token's record; ARGV[1] now in seconds, ARGV[2] requests in a window, ARGV[3] seconds of a window
-- Answers user and key; one element "unknown" or "over".
local user = redis.call("GET", KEYS[1])
if not user then return {"unknown"} end
local window = math.floor(tonumber(ARGV[1]) / tonumber(ARGV[3]))
local counter = "rival:quota:" .. user .. ":" .. window
local used = redis.call("INCR", counter)
if used == 1 then redis.call("EXPIRE", counter, 2 * ARGV[3]) end
if used > tonumber(ARGV[2]) then return {"over"} end
return {user, redis.call("GET", "rival:key:" .. user)}
