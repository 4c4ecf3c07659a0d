#!/bin/bash
# The lint must be able to fail: each wrong include below is found, each right one is not.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failed=0

# expect 0|1 FILE INCLUDE: the lint's exit status for a project of this one file.
expect() {
  local wanted=$1 file=$2 include=$3 status=0
  rm -rf "${root:?}"/*
  mkdir -p "$root/common" "$root/$(dirname "$file")"
  printf '/* a comment */\n#include %s\n' "$include" >"$root/$file"
  "$here/lint_includes.sh" "$root" >"$root/output" || status=$?
  if [[ $status -ne $wanted ]] || { [[ $wanted -eq 1 ]] && ! grep -q "^$file:2: " "$root/output"; }; then
    echo "$file with $include: exit status $status instead of $wanted: $(cat "$root/output")"
    failed=1
  fi
}

expect 0 common/base/log.c '"common/base/log.h"'
expect 0 common/base/log.c '<stdio.h>'
expect 1 common/base/log.c '"common/broker/publish.h"'
expect 1 common/base/log.c '"common/pipeline/names.h"'
expect 1 common/base/log.c '"log.h"'
expect 0 common/broker/publish.c '"common/base/log.h"'
expect 0 common/broker/publish.c '<amqp.h>'
expect 1 common/broker/publish.c '"common/store/store.h"'
expect 1 common/broker/publish.c '<sqlite3.h>'
expect 0 common/store/store.c '<sqlite3.h>'
expect 1 common/store/store.c '"common/broker/publish.h"'
expect 0 common/pipeline/message.h '"common/store/store.h"'
expect 1 common/pipeline/message.h '<amqp_framing.h>'
expect 1 common/pipeline/message.h '  "services/order/pending.h"'
expect 0 services/order/main.c '"services/order/pending.h"'
expect 0 services/order/main.c '"common/pipeline/message.h"'
expect 1 services/order/main.c '"services/inventory/reserve_stock.h"'
expect 1 services/order/main.c '<microhttpd.h>'
expect 0 services/order/http_server.c '<microhttpd.h>'
expect 0 services/notification/sink_webhook.c '<curl/curl.h>'
expect 1 services/notification/main.c '<curl/curl.h>'
expect 1 services/inventory/main.c '"sqlite3.h"'
expect 0 common/trace/trace_reader.c '<zstd.h>'
expect 1 common/trace/trace_reader.c '"common/pipeline/names.h"'
expect 1 services/order/main.c '<zstd.h>'
expect 0 services/order/main.c '"common/trace/trace_writer.h"'
expect 0 loadtest/replay/main.c '"common/trace/trace_reader.h"'
expect 0 loadtest/replay/main.c '"common/base/clock.h"'
expect 1 loadtest/replay/main.c '"common/pipeline/message.h"'
expect 1 loadtest/replay/main.c '<amqp.h>'
expect 0 loadtest/floors/publish.c '<amqp.h>'
expect 0 loadtest/floors/commit.c '<sqlite3.h>'
expect 0 loadtest/floors/commit.c '"services/inventory/stock_store.h"'

exit "$failed"
