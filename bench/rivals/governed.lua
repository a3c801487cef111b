-- A gateway as one would write it in nginx with Lua: a token is looked up, a quota counted and the user's key
-- fetched by one script in Redis; the usage at the end of an answer is added to the user's sums.
-- It holds no money before a request and settles nothing exactly.
local tcp, now = ngx.socket.tcp, ngx.time
local sub, find, match, concat = string.sub, string.find, string.match, table.concat

local TAIL_BYTES = 1024 -- the usage stands at the end
local FLUSH_SECONDS = 0.1
local QUOTA, WINDOW_SECONDS = 1000000000, 60

local Governed = {}
Governed.__index = Governed

local function word(value)
    value = tostring(value)
    return "$" .. #value .. "\r\n" .. value .. "\r\n"
end

local function command(...)
    local words = { ... }
    local parts = { "*" .. #words .. "\r\n" }
    for i = 1, #words do parts[i + 1] = word(words[i]) end
    return concat(parts)
end

function Governed.new(redis, script)
    return setmetatable({
        redis = redis,
        before_token = "*7\r\n" .. word("EVALSHA") .. word(script) .. word(1),
        after_time = word(QUOTA) .. word(WINDOW_SECONDS),
        sums = {}, -- by user, not yet written: prompt and completion tokens
    }, Governed)
end

function Governed:connect()
    local link = tcp()
    link:settimeout(2000)
    local connected, fault = link:connect(self.redis)
    if not connected then return nil, fault end
    return link
end

local function read_reply(link)
    local line, fault = link:receive("*l")
    if not line then return nil, fault end
    local kind, rest = sub(line, 1, 1), sub(line, 2)
    if kind == "$" then
        if rest == "-1" then return false end
        local bytes, broken = link:receive(tonumber(rest) + 2)
        return bytes and sub(bytes, 1, -3), broken
    elseif kind == "*" then
        local list = {}
        for i = 1, tonumber(rest) do list[i] = read_reply(link) end
        return list
    elseif kind == "-" then
        return nil, rest
    end
    return rest
end

function Governed:admit()
    local credential = ngx.var.http_authorization
    if not credential or sub(credential, 1, 7) ~= "Bearer " then return ngx.exit(401) end
    local link, fault = self:connect()
    if not link then
        ngx.log(ngx.ERR, "Redis cannot be reached: ", fault)
        return ngx.exit(503)
    end
    link:send(self.before_token .. word("rival:token:" .. sub(credential, 8)) .. word(now()) .. self.after_time)
    local reply, broken = read_reply(link)
    if not reply then
        ngx.log(ngx.ERR, "Redis does not answer: ", broken)
        link:close()
        return ngx.exit(503)
    end
    link:setkeepalive()
    if not reply[2] then return ngx.exit(reply[1] == "over" and 429 or 401) end
    ngx.ctx.user = reply[1]
    ngx.var.upstream_key = "Bearer " .. reply[2]
end

function Governed:read_usage()
    local context, bytes = ngx.ctx, ngx.arg[1]
    if bytes and bytes ~= "" then
        local tail = context.tail and context.tail .. bytes or bytes
        context.tail = #tail > TAIL_BYTES and sub(tail, -TAIL_BYTES) or tail
    end
    if not ngx.arg[2] or not context.tail then return end
    local at = find(context.tail, '"usage":{', 1, true)
    if not at then return end
    context.prompt = tonumber(match(context.tail, '"prompt_tokens":(%d+)', at))
    context.completion = tonumber(match(context.tail, '"completion_tokens":(%d+)', at))
end

local function sums_of(user, prompt, completion)
    local name = "rival:usage:" .. user
    return command("HINCRBY", name, "prompt", prompt) .. command("HINCRBY", name, "completion", completion)
end

local function write(self, commands, replies)
    local link = self:connect()
    if not link then return end
    link:send(commands)
    for _ = 1, replies do read_reply(link) end
    link:setkeepalive()
end

local function on_timer(_, self, user, prompt, completion)
    write(self, sums_of(user, prompt, completion), 2)
end

function Governed:write_at_once()
    local context = ngx.ctx
    if not context.user then return end
    ngx.timer.at(0, on_timer, self, context.user, context.prompt or 0, context.completion or 0)
end

function Governed:write_later()
    local context = ngx.ctx
    if not context.user then return end
    local sum = self.sums[context.user]
    if not sum then
        sum = { 0, 0 }
        self.sums[context.user] = sum
    end
    sum[1] = sum[1] + (context.prompt or 0)
    sum[2] = sum[2] + (context.completion or 0)
end

local function on_flush(_, self)
    local parts = {}
    for user, sum in pairs(self.sums) do parts[#parts + 1] = sums_of(user, sum[1], sum[2]) end
    self.sums = {}
    if #parts > 0 then write(self, concat(parts), 2 * #parts) end
end

function Governed:start_batches()
    ngx.timer.every(FLUSH_SECONDS, on_flush, self)
end

return Governed
