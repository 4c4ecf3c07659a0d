#!/bin/bash
# A whole Seckill in the background, in a folder of its own. See usage() below.
set -euo pipefail
CALLERS_UMASK=$(umask)
umask 077

HERE=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/lib/common.sh
. "$HERE/lib/common.sh"
# shellcheck source=deploy/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=deploy/lib/ports.sh
. "$HERE/lib/ports.sh"
# shellcheck source=deploy/lib/broker.sh
. "$HERE/lib/broker.sh"
# shellcheck source=deploy/lib/services.sh
. "$HERE/lib/services.sh"
# shellcheck source=deploy/lib/up.sh
. "$HERE/lib/up.sh"

# A fault (SECKILL_FAULT, see common/base/fault.h) is for the one service that "start" starts; seckillctl, the broker and
# whatever else runs on the way must not see it.
FAULT=${SECKILL_FAULT:-}
unset SECKILL_FAULT

# What "up" starts, in this order; a service that the build does not have is left out.
SERVICES=(inventory order notification redpacket)

usage() {
  cat <<'USAGE'
Usage: deploy/stack.sh COMMAND --dir D [OPTION]...

A private RabbitMQ node and every service, in the background, on the loopback only. Each folder D is a stack of its own.

  up               builds (Release) if needed, starts what does not run, gives the broker again what it lacks (a queue
                   that was deleted), returns when /readyz answers 200
  down             ends every process; D stays, and "up" continues with its data
  status           what runs; exit status 3 if something does not that should
  logs [SERVICE]   the end of the logs
  start SERVICE    starts it again; order@2 is a further front end on the same port, or on its own with --http-port
  stop SERVICE     SIGTERM, and waits for the end
  kill SERVICE     SIGKILL

SERVICE is order, inventory, notification, redpacket or broker, or a further instance such as order@2. With --nodes the
broker's nodes are broker, broker@2, broker@3; stop, kill and start take one at a time.

  --dir D                    the stack's folder; made by "up"
  --http-port P              of the front end (up, start order@N); otherwise a free one
  --amqp-port P              of the broker (up; of its first node); otherwise a free one
  --nodes N                  up, in a new folder: a RabbitMQ cluster of so many nodes, an odd number (otherwise 1). They
                             share this machine: that is for trying what a cluster does, not for safety or speed
  --build-dir B              use the programs in B/bin, building there if there are none (otherwise build/release)
  --set section.key=value    a setting for the programs, repeatable. With "up" for all, with "start" for that one;
                             remembered in D
  --no-wait                  start: return without waiting for the service to be ready
  --now                      down: SIGKILL instead of an orderly end
  --follow                   logs: go on printing

"up" leaves D/seckill.conf (for any program's --config), D/env (to be sourced: SECKILL_URL, SECKILL_ADMIN_TOKEN_FILE,
SECKILL_AMQP_URL, SECKILL_BIN), D/log, and D/rabbitmqctl, which talks to this stack's node; of several to the first, or
with "-n seckill2@localhost" to the second, and so on. SECKILL_SERVICES="inventory order" in the environment leaves the
other services out.
USAGE
}

bad_usage() {
  warn "$* (see --help)"
  exit "$EX_USAGE"
}

# --- the command line

parse() { # ARGUMENT...
  COMMAND='' UNIT='' D='' HTTP_PORT='' AMQP_PORT='' NODES='' BUILD_DIR='' SETS=() NO_WAIT='' NOW='' FOLLOW=''
  local words=()
  while (( $# > 0 )); do
    case $1 in
      --dir | --http-port | --amqp-port | --nodes | --build-dir | --set)
        (( $# > 1 )) || bad_usage "$1 needs a value"
        option "$1" "$2"
        shift 2
        ;;
      --dir=* | --http-port=* | --amqp-port=* | --nodes=* | --build-dir=* | --set=*)
        option "${1%%=*}" "${1#*=}"
        shift
        ;;
      --no-wait) NO_WAIT=yes; shift ;;
      --now) NOW=yes; shift ;;
      --follow | -f) FOLLOW=yes; shift ;;
      -h | --help) usage; exit 0 ;;
      -*) bad_usage "unknown option $1" ;;
      *) words+=("$1"); shift ;;
    esac
  done
  COMMAND=${words[0]:-} UNIT=${words[1]:-}
  (( ${#words[@]} <= 2 )) || bad_usage "too many words: ${words[*]}"
  case $COMMAND in
    up | down | status) [[ -z $UNIT ]] || bad_usage "$COMMAND takes no service" ;;
    logs) ;;
    start | stop | kill) [[ -n $UNIT ]] || bad_usage "$COMMAND which service?" ;;
    '') bad_usage "no command" ;;
    *) bad_usage "unknown command $COMMAND" ;;
  esac
  check_unit
  [[ -z $FAULT || $COMMAND != up ]] || bad_usage "SECKILL_FAULT is for one service: 'up' without it, then 'start' with it"
  [[ -z $FAULT || $COMMAND != start ]] || ! is_broker "$UNIT" || bad_usage "SECKILL_FAULT is not for the broker"
  [[ -n $D ]] || bad_usage "--dir is missing"
  D=$(realpath -m -- "$D")
  # RabbitMQ hands it to a shell, and separates paths by colons.
  local unfit='["'\''`\$:[:cntrl:]]'
  [[ ! $D =~ $unfit ]] ||
    bad_usage "the folder's name holds a quote, a backslash, a dollar sign, a colon or a control character"
}

option() { # NAME VALUE
  case $1 in
    --dir) D=$2; [[ -n $2 ]] || bad_usage "--dir is empty" ;;
    --http-port) HTTP_PORT=$2; port_valid "$2" || bad_usage "$2 is not a port" ;;
    --amqp-port) AMQP_PORT=$2; port_valid "$2" || bad_usage "$2 is not a port" ;;
    --nodes)
      NODES=$2
      [[ $2 =~ ^[1-9]$ ]] && (( $2 % 2 == 1 && $2 <= BROKER_NODES_MAX )) ||
        bad_usage "--nodes takes 1, 3, 5 or $BROKER_NODES_MAX, not '$2'"
      ;;
    --build-dir) BUILD_DIR=$(realpath -m -- "$2") ;;
    --set)
      [[ $2 =~ ^[A-Za-z_]+\.[A-Za-z0-9_]+= && $2 != *$'\n'* ]] || bad_usage "--set takes section.key=value, not '$2'"
      SETS+=("$2")
      ;;
  esac
}

check_unit() {
  [[ -n $UNIT ]] || return 0
  local service=${UNIT%%@*} known
  [[ $UNIT =~ ^[a-z]+(@[A-Za-z0-9_-]{1,32})?$ ]] || bad_usage "no such service: $UNIT"
  [[ $UNIT != broker@* || $UNIT =~ ^broker@[2-$BROKER_NODES_MAX]$ ]] || bad_usage "no such service: $UNIT"
  for known in "${SERVICES[@]}" broker; do
    [[ $service != "$known" ]] || return 0
  done
  bad_usage "no such service: $UNIT"
}

# --- the folder

# One command at a time that changes something.
lock() {
  exec 9>"$D/run/lock"
  flock -w 300 9 || die "$EX_TEMPFAIL" "another command is at work on $D"
}

# One of the broker's nodes that this folder does not have is no service.
check_node() {
  local BROKERS
  is_broker "$UNIT" || return 0
  broker_units
  [[ " ${BROKERS[*]} " == *" $UNIT "* ]] || bad_usage "no such service: $UNIT"
}

# For what needs a stack that is up, or was until something was killed.
open_stack() {
  [[ -e $D/run/up ]] || die "$EX_UNAVAILABLE" "the stack in $D is not up"
  lock
  [[ -e $D/run/up ]] || die "$EX_UNAVAILABLE" "the stack in $D is not up"
  BIN=$(<"$D/run/bin")
  check_node
}

# All services and instances that have been started and not stopped, into UNITS.
units_known() {
  local file
  UNITS=()
  for file in "$D"/run/*.pid; do
    file=${file##*/} file=${file%.pid}
    case $file in '*' | epmd | broker | broker@*) ;; *) UNITS+=("$file") ;; esac
  done
}

# --- the commands ("up" is in lib/up.sh)

command_down() {
  local unit UNITS BROKERS signal=TERM pids=()
  [[ -d $D/run ]] || { say "nothing runs in $D"; return; }
  lock
  trap '' INT TERM # half a "down" is no use to anybody
  [[ -z $NOW ]] || signal=KILL
  units_known
  broker_units
  # Services first, all at once; then the broker, which they need for an orderly end.
  for unit in "${UNITS[@]}" "${BROKERS[@]}" epmd; do
    unit_alive "$unit" || continue
    pids+=("$UNIT_PID")
    is_broker "$unit" || [[ $unit == epmd ]] || process_signal "$signal" "$UNIT_PID" "$UNIT_START"
  done
  for unit in "${UNITS[@]}"; do
    unit_end_surely "$unit" "$signal" 20
  done
  down_brokers
  unit_end_surely epmd "$signal" 5
  sweep || die 1 "some processes of $D do not end: $(marked_processes | cut -d ' ' -f 1 | tr '\n' ' ')"
  wait_reaped "${pids[@]}"
  ports_release
  rm -f "$D"/run/*.pid "$D/run/up"
  say "down; the data stays in $D"
}

# All at once: the last ones of a cluster would wait for those that are gone.
down_brokers() {
  local unit
  for unit in "${BROKERS[@]}"; do
    ! unit_alive "$unit" || process_signal "$signal" "$UNIT_PID" "$UNIT_START"
  done
  for unit in "${BROKERS[@]}"; do
    unit_end_surely "$unit" "$signal" 30
  done
}

unit_end_surely() { # UNIT SIGNAL SECONDS
  unit_end "$@" && return
  warn "$1 does not end within $3 s: killing it"
  unit_end "$1" KILL 5
}

command_stop() {
  open_stack
  unit_alive "$UNIT" || { rm -f "$D/run/$UNIT.pid"; say "$UNIT does not run"; return; }
  local started=$EPOCHREALTIME
  if is_broker "$UNIT"; then broker_end "$UNIT" TERM 60; else unit_end "$UNIT" TERM 60; fi ||
    die 1 "$UNIT got SIGTERM, and is still there after $(seconds_since "$started")"
  rm -f "$D/run/$UNIT.pid"
  say "$UNIT stopped ($(seconds_since "$started"))"
}

command_kill() {
  open_stack
  unit_alive "$UNIT" || { say "$UNIT does not run"; return; }
  if is_broker "$UNIT"; then broker_end "$UNIT" KILL 10; else unit_end "$UNIT" KILL 10; fi ||
    die 1 "$UNIT got SIGKILL, and is still there"
  say "$UNIT killed"
}

command_start() {
  local started=$EPOCHREALTIME status=0
  open_stack
  [[ -z $BUILD_DIR ]] || BIN=$BUILD_DIR/bin
  ! unit_alive "$UNIT" || { say "$UNIT runs already"; return; }
  if is_broker "$UNIT"; then
    start_broker
  else
    start_service || status=$?
    (( status == 0 )) || exit "$status"
  fi
  say "$UNIT started ($(seconds_since "$started"))"
}

start_broker() {
  if ! broker_launch "$UNIT" || { [[ -z $NO_WAIT ]] && ! broker_wait "$UNIT"; }; then
    show_tail "$D/log/rabbitmq${UNIT#broker}.log" 15
    die "$EX_UNAVAILABLE" "the broker does not start"
  fi
}

# A service that does not get ready goes on trying; one that ends gives its own exit status.
start_service() {
  local status=0 REPLY
  service_built "$UNIT" || die "$EX_UNAVAILABLE" "there is no seckill-${UNIT%%@*} in $BIN"
  if [[ -n $HTTP_PORT ]]; then
    is_front_end "$UNIT" || bad_usage "$UNIT has no HTTP port"
    ports_lock
    port_get "$([[ $UNIT == order ]] && printf http || printf '%s' "$UNIT")" || true
    [[ $REPLY == "$HTTP_PORT" ]] || port_claim "$UNIT" "$HTTP_PORT"
    ports_unlock
  fi
  settings_add "$D/run/$UNIT.set" "${SETS[@]}"
  INITIALISE=
  units_start "$UNIT" || status=$?
  if unit_alive "$UNIT"; then settings_keep "$D/run/$UNIT.set"; else settings_forget "$D/run/$UNIT.set"; fi
  return "$status"
}

command_status() {
  local unit UNITS PRESENT BROKERS all_run=yes
  [[ -e $D/run/up ]] || { say "not up"; exit 3; }
  BIN=$(<"$D/run/bin")
  services_present
  units_known
  broker_units
  for unit in "${BROKERS[@]}" "${PRESENT[@]}"; do
    status_line "$unit" || all_run=
  done
  for unit in "${UNITS[@]}"; do
    [[ $unit != *@* ]] || status_line "$unit" || all_run=
  done
  [[ -n $all_run ]] || exit 3
}

status_line() { # UNIT
  local state=running where='' REPLY
  unit_alive "$1" || { state=stopped; [[ -z $UNIT_PID ]] || state=dead; }
  if is_broker "$1"; then
    port_get "amqp${1#broker}"
    where="amqp://127.0.0.1:$REPLY"
  elif is_front_end "$1"; then
    unit_url "$1"
    where=$REPLY
    [[ $state != running ]] || front_end_ready "$1" || state='not ready'
  fi
  printf '%-14s %-10s %-9s %s\n' "$1" "$state" "${UNIT_PID:+pid $UNIT_PID}" "$where"
  [[ $state == running ]]
}

command_logs() {
  local files=() file
  [[ -d $D/log ]] || die "$EX_UNAVAILABLE" "there are no logs in $D"
  case $UNIT in
    '') files=("$D"/log/*.log) ;;
    broker | broker@*) files=("$D/log/$UNIT.log" "$D/log/rabbitmq${UNIT#broker}.log") ;; # its output, and its own log
    *) files=("$D/log/$UNIT.log") ;;
  esac
  for file in "${files[@]}"; do
    [[ -e $file ]] || die "$EX_UNAVAILABLE" "there is no ${file##*/} in $D/log"
  done
  exec tail -n "${SECKILL_LOG_LINES:-100}" ${FOLLOW:+-F} -- "${files[@]}"
}

# In one piece, so that bash has read it all before it begins: the file may be replaced meanwhile.
main() {
  parse "$@"
  "command_$COMMAND"
  exit
}
main "$@"
