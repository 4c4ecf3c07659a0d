# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # variables of bench.sh; columns are for awk
# bench.sh, row "refusals": what "no" costs, against an answer of libmicrohttpd alone (floors/http_bare.c).
#
# Needs bench.sh's variables and functions. The same request goes to three servers: the bare one; a front end with
# admission.max_rate=1, which refuses before it looks at the body; and one whose item is sold out, which has to read it.

refusals_prepare() {
  "$SECKILL_BIN/seckillctl" --config "$D/seckill.conf" item put bench-none --unit-price 100 --stock 0 >/dev/null
  limited_url=$(start_front_end order@3 --set admission.max_rate=1)
  start_bare
  for _ in $(seq 500); do # the item has to be in the catalogue
    [ "$(curl -sS -o "$D/item.out" -w '%{http_code}' "$SECKILL_URL/v1/items/bench-none")" = 200 ] && return
    sleep 0.02
  done
  echo "bench.sh: the item does not appear in the catalogue" >&2
  return 1
}

refuse_for() { # URL [CODE] → "RATE CPU_US"; fails unless (nearly) all was answered with CODE by a front end
  local url=$1 code=${2:-} before=0 after ticks
  [ -z "$code" ] || before=$(metric "$url" "seckill_order_answers_total{code=\"$code\"}")
  ticks=$(cpu_ticks "$url")
  wrk -t1 -c128 -d"${seconds}s" -s "$HERE/post_same.lua" "$url/v1/orders" -- bench-none >"$D/wrk.out"
  ticks=$(($(cpu_ticks "$url") - ticks))
  after=$(awk '$1 == "requests" { print $2 }' "$D/wrk.out")
  [ -z "$code" ] || after=$(metric "$url" "seckill_order_answers_total{code=\"$code\"}")
  awk -v n=$((after - before)) -v ticks="$ticks" -v hz="$(getconf CLK_TCK)" '
    { v[$1] = $2 }
    END { if (v["lost"] || n < 0.99 * v["requests"]) { print "bench.sh: not all were refused as they should" > "/dev/stderr"; exit 1 }
      printf "%d %.2f\n", v["rate"], ticks / hz * 1e6 / v["requests"] }' "$D/wrk.out"
}

cpu_ticks() { # URL: of the process that listens there, so far
  local pid
  pid=$(ss -ltnpH "sport = :${1##*:}" | sed -n 's/.*pid=\([0-9]*\).*/\1/p')
  awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$pid/stat"
}

refusals_measure() { # appends "PAIR BARE CPU LIMITED CPU BARE CPU SOLD_OUT CPU LOAD" to D/refusals
  local i r
  for i in $(seq "$pairs"); do
    r="$i $(refuse_for "$bare_url")"
    r="$r $(refuse_for "$limited_url" rate_limited)"
    r="$r $(refuse_for "$bare_url")"
    r="$r $(refuse_for "$SECKILL_URL" sold_out)"
    echo "$r $(machine_load)" >>"$D/refusals"
    awk -v r="$(tail -n 1 "$D/refusals")" 'BEGIN { split(r, v)
      printf "pair %d: rate_limited %d/s against %d/s bare (%.2f); sold_out %d/s against %d/s bare (%.2f); load %.1f\n",
        v[1], v[4], v[2], v[4] / v[2], v[8], v[6], v[8] / v[6], v[10] }'
  done
}

refusals_report() {
  row refusals "bare answers/s, 128 connections" '($2 + $6) / 2'
  row refusals "rate_limited/s" '$4'
  ratio rate_limited refusals "  ratio" '$4 / $2' at_least 0.85
  row refusals "sold_out/s, after the body" '$8'
  ratio sold_out refusals "  ratio" '$8 / $6' at_least 0.7
  row refusals "CPU µs for an answer: bare" '($3 + $7) / 2'
  row refusals "CPU µs for an answer: rate_limited" '$5'
  row refusals "CPU µs for an answer: sold_out" '$9'
}

refusals_json() {
  jq -Rn '[inputs | split(" ") | map(tonumber) | {pair: .[0], bare_per_s: .[1], bare_cpu_us: .[2], rate_limited_per_s: .[3],
    rate_limited_cpu_us: .[4], bare_again_per_s: .[5], bare_again_cpu_us: .[6], sold_out_per_s: .[7], sold_out_cpu_us: .[8],
    load: .[9]}]' "$D/refusals"
}
