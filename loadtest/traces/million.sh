#!/bin/bash
# A million requests in the opening second, against a stack of its own. See usage() below.
set -euo pipefail

HERE=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname -- "$(dirname -- "$HERE")")
STACK=$ROOT/deploy/stack.sh

usage() {
  cat <<'USAGE'
Usage: loadtest/traces/million.sh [--count N] [--build-dir B] [OPTION OF seckill-replay]...

Brings up a stack on the loopback with an item of which there are 10 000, offers N requests (a million) within one second,
waits until everything is decided, verifies each accepted order, runs the audit, and takes the stack down. Exit status 0 if
the verification and the audit hold.

The thresholds are open for it (admission.max_rate, admission.max_pending): what is refused is refused because the item is
sold out or its buyer has enough.
USAGE
}

count=1000000 build=$ROOT/build/release
more=()
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit 0 ;;
    --count | --build-dir)
      [ $# -gt 1 ] || { echo "million.sh: $1 needs a value (see --help)" >&2; exit 64; }
      if [ "$1" = --count ]; then count=$2; else build=$2; fi
      shift
      ;;
    *) more+=("$1") ;;
  esac
  shift
done

D=$(mktemp -d "${TMPDIR:-/tmp}/seckill-million.XXXXXX")
clean_up() {
  "$STACK" down --dir "$D" >/dev/null 2>&1 || true
  rm -rf "$D"
}
trap clean_up EXIT
"$STACK" up --dir "$D" --build-dir "$build" --set admission.max_rate=0 --set admission.max_pending=0 >"$D/up.out" ||
  { cat "$D/up.out"; exit 1; }
# shellcheck source=/dev/null
. "$D/env"
ctl=("$SECKILL_BIN/seckillctl" --config "$D/seckill.conf")
"${ctl[@]}" item put phone-1 --unit-price 99900 --stock 10000 --limit-per-user 2 >/dev/null
until curl -fsS -o /dev/null "$SECKILL_URL/v1/items/phone-1" 2>/dev/null; do sleep 0.1; done

status=0
"$SECKILL_BIN/seckill-replay" --config "$D/seckill.conf" --url "$SECKILL_URL" --generate constant --count "$count" \
  --duration 1 --connections 1000 --users 2000000 --zipf 0.5 --repeats 0.05 --bots 0.01 --overtime 600 \
  --drain-timeout 600 --verify "${more[@]}" || status=$?
"${ctl[@]}" audit || status=$?
exit "$status"
