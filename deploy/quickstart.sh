#!/bin/bash
# From a bare Debian 12 to a running Seckill that has just sold out. See usage() below.
set -euo pipefail

HERE=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/lib/common.sh
. "$HERE/lib/common.sh"
# shellcheck source=deploy/packages.sh
. "$HERE/packages.sh"

STOCK=10000 LIMIT=2 PEAK_REQUESTS=40000 PEAK_SECONDS=5 PEAK_CONNECTIONS=256 PEAK_BUYERS=20000
PACKETS=2000 BUDGET=500000 # of red packets, in fen
BUILD=$SECKILL_REPO/build/release

usage() {
  cat <<'USAGE'
Usage: deploy/quickstart.sh [--exit] [--dir D]

Installs what is missing, builds, starts a private RabbitMQ node and every service, puts up an item with red packets,
replays a small peak against it, shows what the buyers got, prints the audit, and leaves everything serving until Ctrl-C.

  --exit     stop after the audit, with its exit status
  --dir D    keep data and logs in D (otherwise a temporary folder, which is removed after a clean end)
USAGE
}

parse() { # ARGUMENT...
  EXIT_AFTER='' D='' TEMPORARY=''
  while (( $# > 0 )); do
    case $1 in
      --exit) EXIT_AFTER=yes ;;
      --dir) D=${2:-}; shift ;;
      --dir=*) D=${1#*=} ;;
      -h | --help) usage; exit 0 ;;
      *) warn "unknown argument $1 (see --help)"; exit "$EX_USAGE" ;;
    esac
    [[ $1 != --dir* || -n $D ]] || { warn "--dir needs a folder (see --help)"; exit "$EX_USAGE"; }
    shift
  done
}

stack() { # COMMAND [ARGUMENT]...
  "$HERE/stack.sh" "$@" --dir "$D"
}

prepare_folder() {
  if [[ -z $D ]]; then
    D=$(mktemp -d "${TMPDIR:-/tmp}/seckill-quickstart.XXXXXX")
    TEMPORARY=yes
  fi
  D=$(realpath -m -- "$D")
  (umask 077 && mkdir -p "$D/log")
}

# Whatever happens, nothing of it stays behind running.
clean_up() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  set +e
  exec >&3 2>&4 # Ctrl-C may have come while a function wrote into a log
  step_broken_off
  if [[ -e $D/run/lock ]]; then
    step "taking the stack down"
    stack down >"$D/log/down.log" 2>&1 || show_tail "$D/log/down.log" 10
    step_done
  fi
  case $TEMPORARY$status in
    yes0 | yes130 | yes143) rm -rf -- "$D" ;; # done, or no longer wanted
    *) [[ ! -d $D ]] || rmdir -- "$D/log" "$D" 2>/dev/null || say "  data and logs stay in $D" ;;
  esac
  exit "$status"
}

build_programs() {
  step "building"
  build "$BUILD" Release || die 1 "the build failed; all of the output is in $BUILD/build.log"
  step_done
}

start_stack() {
  local status=0 port=(--http-port 8080)
  step "starting RabbitMQ and the services"
  [[ ! -e $D/run/ports ]] || port=() # the one of last time
  stack up --build-dir "$BUILD" "${port[@]}" >"$D/log/up.log" 2>&1 || status=$?
  if (( status == EX_UNAVAILABLE )) && grep -q 'port 8080 ' "$D/log/up.log"; then
    status=0 # somebody else has the usual port: any other will do
    stack up --build-dir "$BUILD" >"$D/log/up.log" 2>&1 || status=$?
  fi
  if (( status != 0 )); then
    show_tail "$D/log/up.log" 60
    die "$status" "the stack did not come up"
  fi
  step_done
  # shellcheck source=/dev/null
  . "$D/env"
}

ctl() { "$SECKILL_BIN/seckillctl" --config "$D/seckill.conf" "$@"; }

put_item() {
  local number=1
  # In a folder that has been used before, yesterday's item is sold out.
  while ctl item show "phone-$number" >/dev/null 2>&1; do number=$((number + 1)); done
  SKU=phone-$number
  step "putting up $STOCK × $SKU, at most $LIMIT for each buyer, and $PACKETS red packets"
  ctl item put "$SKU" --name "Phone" --unit-price 99900 --stock "$STOCK" --limit-per-user "$LIMIT" \
    >"$D/log/item.log" 2>&1 || { show_tail "$D/log/item.log" 10; die 1 "the item could not be put up"; }
  ctl campaign put "$SKU" --budget "$BUDGET" --packets "$PACKETS" --min-amount 10 >"$D/log/campaign.log" 2>&1 ||
    { show_tail "$D/log/campaign.log" 10; die 1 "the red packets could not be put up"; }
  # Front ends sell what their catalogue shows.
  wait_until 10 local_curl --fail --output /dev/null "$SECKILL_URL/v1/items/$SKU" 2>/dev/null ||
    die 1 "the item does not appear in the catalogue"
  step_done
}

# An opening second, replayed: most buyers come at once, some hammer, some send again what they have sent.
run_peak() {
  local status=0
  read -r DECIDED_BEFORE _ <<<"$(counts)"
  MESSAGES_BEFORE=$(messages)
  step "a peak: $PEAK_REQUESTS requests in $PEAK_SECONDS s, over $PEAK_CONNECTIONS connections"
  "$SECKILL_BIN/seckill-replay" --config "$D/seckill.conf" --url "$SECKILL_URL" --generate spike \
    --count "$PEAK_REQUESTS" --duration "$PEAK_SECONDS" --connections "$PEAK_CONNECTIONS" --sku "$SKU" \
    --users "$PEAK_BUYERS" --zipf 0.6 --repeats 0.05 --bots 0.02 --verify \
    --json "$D/peak.json" --html "$D/peak.html" >"$D/log/peak.log" 2>"$D/log/peak.progress" || status=$?
  (( status == 0 )) || {
    show_tail "$D/log/peak.progress" 5
    show_tail "$D/log/peak.log" 40
    die 1 "the replay of the peak failed"
  }
  step_done
  sed 's/^\(.\)/    \1/' "$D/log/peak.log"
  say "  the same with charts: $D/peak.html"
}

# Every accepted order has got its decision.
wait_for_drain() {
  step "waiting until every accepted order is decided"
  wait_until 120 drained || die 1 "orders are still undecided; see $D/log"
  step_done
}

counts() { # → the orders that were decided, and those that are not yet
  local_curl --fail "$SECKILL_URL/metrics" 2>/dev/null |
    awk '/^seckill_order_decisions_matched_total\{/ { decided += $NF } /^seckill_order_backlog[{ ]/ { left += $NF }
      END { print decided + 0, left + 0; exit NR == 0 }'
}

drained() {
  local left
  read -r DECIDED left <<<"$(counts)"
  [[ $left == 0 ]]
}

messages() { grep -c ' message_to_buyer ' "$D/log/notification.log" || true; }

# Each decided order is worth a message to its buyer, and so is each red packet. The stock is larger than the number of
# packets, so that all are given.
wait_for_messages() {
  step "waiting until the red packets are given and each buyer has the messages"
  all_sent() { (( $(messages) - MESSAGES_BEFORE >= DECIDED - DECIDED_BEFORE + PACKETS )); }
  wait_until 120 all_sent || die 1 "not every buyer got a message; see $D/log"
  step_done
}

# What one buyer got: a red packet, and messages by the sink `log`.
print_gifts() {
  local lucky
  lucky=$(sed -nE 's/.* message_to_buyer order=([^ ]+) kind=redpacket\.granted .*/\1/p' "$D/log/notification.log" | tail -n 1)
  printf '\n$ seckillctl campaign show %s\n' "$SKU"
  ctl campaign show "$SKU"
  printf '\n$ curl %s/v1/orders/%s\n' "$SECKILL_URL" "$lucky"
  local_curl --fail "$SECKILL_URL/v1/orders/$lucky"
  printf '\n\n$ grep %s log/notification.log\n' "$lucky"
  grep " message_to_buyer order=$lucky " "$D/log/notification.log"
}

print_audit() {
  AUDIT=0
  printf '\n'
  ctl audit || AUDIT=$?
  printf '\n'
}

print_places() {
  cat <<PLACES
  Seckill serves at $SECKILL_URL

    order      curl -i -H 'Content-Type: application/json' -d '{"user_id":"me","sku":"$SKU"}' $SECKILL_URL/v1/orders
    items      curl $SECKILL_URL/v1/items
    figures    curl $SECKILL_URL/metrics
    the peak   $D/peak.html (in a browser), $D/peak.json
    operator   $SECKILL_BIN/seckillctl --config $D/seckill.conf --help
    variables  . $D/env
    logs       $HERE/stack.sh logs --dir $D --follow

  Ctrl-C ends it all.
PLACES
}

serve() {
  local reported=''
  trap 'printf "\n"; exit 0' INT TERM
  while true; do
    # In the background, since a trap waits for what runs in the foreground.
    sleep 2 &
    wait $! || true
    if [[ -z $reported ]] && ! stack status >"$D/log/status.log" 2>&1; then
      warn "something has stopped (stack.sh logs --dir $D):"
      sed 's/^/    /' "$D/log/status.log" >&2
      reported=yes
    fi
  done
}

parse "$@"
prepare_folder
exec 3>&1 4>&2
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
printf 'Seckill\n'
packages_require "$D/log/packages.log"
build_programs
start_stack
put_item
run_peak
wait_for_drain
wait_for_messages
print_gifts
print_audit
[[ -z $EXIT_AFTER ]] || exit "$AUDIT"
print_places
serve
