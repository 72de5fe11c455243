-- What a browser sends when someone follows a link from another site, about 600 bytes a request.
--   wrk -t1 -c32 -d5s -s browser.lua http://127.0.0.1:8080 -- DEPTH PATH
-- DEPTH requests are sent at once on each connection; the last line of output is the result as JSON.

local fields = {
  ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
  ["Accept-Encoding"] = "gzip, deflate, br, zstd",
  ["Accept-Language"] = "en-GB,en;q=0.9,fr;q=0.8",
  ["Referer"] = "https://forum.example.net/topic/4711?page=2",
  ["Sec-CH-UA"] = '"Chromium";v="131", "Not_A Brand";v="24"',
  ["Sec-CH-UA-Platform"] = '"Linux"',
  ["Sec-Fetch-Dest"] = "document",
  ["Sec-Fetch-Mode"] = "navigate",
  ["Sec-Fetch-Site"] = "cross-site",
  ["Upgrade-Insecure-Requests"] = "1",
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
}

for name, value in pairs(fields) do
  wrk.headers[name] = value
end

local requests

function init(arguments)
  local depth = assert(tonumber(arguments[1]), "the pipeline depth is missing")
  local path = assert(arguments[2], "the path is missing")
  requests = wrk.format("GET", path):rep(depth)
end

function request()
  return requests
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "bytes": %d, "failed": %d, "p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
