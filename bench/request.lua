-- What wrk sends: each identity in turn, its requests made before the run. BENCH_HEADS has an identity a line, its
-- header lines separated by tabs; BENCH_BODY is the body; BENCH_USERS, if set, is how many users a service token speaks for.
local requests, next_request = {}, 0
local users = tonumber(os.getenv("BENCH_USERS") or 0)
local service_head

local function read_all(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

function init()
    local body = read_all(os.getenv("BENCH_BODY"))
    wrk.method = "POST"
    for line in read_all(os.getenv("BENCH_HEADS")):gmatch("[^\n]+") do
        local headers = { ["Content-Type"] = "application/json" }
        for name, value in line:gmatch("([^\t:]+): ([^\t]+)") do headers[name] = value end
        service_head = headers
        requests[#requests + 1] = wrk.format("POST", nil, headers, body)
    end
    if users > 0 then wrk.body = body end
end

function request()
    if users > 0 then
        service_head["X-Keyturn-User"] = "u" .. math.random(users)
        return wrk.format("POST", nil, service_head, wrk.body)
    end
    next_request = next_request % #requests + 1
    return requests[next_request]
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format('\n{"requests":%d,"us":%d,"p50_us":%d,"p99_us":%d,"refused":%d,"lost":%d}\n', summary.requests,
        summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
