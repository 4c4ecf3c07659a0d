-- For wrk: posts the same order again and again, so that the load generator costs as little as it can. What was answered
-- is not looked at: the server's own counters tell.
--
--   wrk -t1 -c128 -d5s -s post_same.lua URL/v1/orders -- SKU
--
-- At the end prints "requests N", "rate N" and, if there were any, "lost N".

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = string.format('{"user_id":"u1","sku":"%s","quantity":1}', args[1] or "phone-1")
  request_bytes = wrk.format()
end

function request()
  return request_bytes
end

function done(summary)
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  if lost > 0 then io.write(string.format("lost %d\n", lost)) end
  io.write(string.format("requests %d\nrate %.0f\n", summary.requests, summary.requests / summary.duration * 1e6))
end
