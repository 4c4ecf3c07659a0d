-- For wrk: posts orders of one unit, each by a random user, without an Idempotency-Key, or ("keyed") each with its own.
--
--   wrk -t2 -c64 -d5s -s post_orders.lua URL/v1/orders -- SKU [USERS [keyed]]
--
-- The users are drawn out of USERS (default one million), at most 20000 of them a thread. At the end prints one line for
-- each status that was answered: "status COUNT".

local threads = {}

function setup(thread)
  thread:set("seed", #threads + 1)
  table.insert(threads, thread)
end

-- Requests are formatted once and then drawn from: the generator shares the machine with what it measures.
local DRAWN_FROM = 20000
local KEY_PLACE = "THE-KEY"

function init(args)
  local sku = args[1] or "phone-1"
  local users = tonumber(args[2]) or 1000000
  math.randomseed(os.time() * 1000 + seed)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  keyed = args[3] == "keyed"
  key_prefix = string.format("%x-%d-", os.time(), math.random(1000000000))
  keys_made = 0
  if keyed then wrk.headers["Idempotency-Key"] = KEY_PLACE end
  requests = {}
  for i = 1, DRAWN_FROM do
    requests[i] = wrk.format(nil, nil, nil, string.format('{"user_id":"u%d","sku":"%s"}', math.random(users), sku))
  end
  if keyed then
    for i, text in ipairs(requests) do
      local from, to = text:find(KEY_PLACE, 1, true)
      requests[i] = { text:sub(1, from - 1) .. key_prefix, text:sub(to + 1) }
    end
  end
  counts = {} -- global, so that done() can ask for it
end

function request()
  local drawn = requests[math.random(DRAWN_FROM)]
  if not keyed then return drawn end
  keys_made = keys_made + 1
  return drawn[1] .. keys_made .. drawn[2]
end

function response(status)
  counts[status] = (counts[status] or 0) + 1
end

function done(summary, latency)
  local total, order = {}, {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("counts")) do
      if not total[status] then table.insert(order, status) end
      total[status] = (total[status] or 0) + count
    end
  end
  table.sort(order)
  for _, status in ipairs(order) do
    io.write(string.format("%d %d\n", status, total[status]))
  end
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  if lost > 0 then io.write(string.format("lost %d\n", lost)) end
  io.write(string.format("rate %.0f\np50 %.1f\np99 %.1f\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
