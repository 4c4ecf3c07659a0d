# shellcheck shell=bash
# The services of a stack: their configuration, their start, their readiness.
#
# Needs lib/common.sh, lib/process.sh, lib/ports.sh, lib/broker.sh, D and BIN, the folder of the programs.

is_front_end() { [[ ${1%%@*} == order ]]; } # UNIT

service_built() { [[ -x $BIN/seckill-${1%%@*} ]]; } # UNIT

# The services of this build, into PRESENT.
services_present() {
  local service
  PRESENT=()
  for service in "${SERVICES[@]}"; do
    [[ -z ${SECKILL_SERVICES:-} || " $SECKILL_SERVICES " == *" $service "* ]] || continue
    ! service_built "$service" || PRESENT+=("$service")
  done
}

# 192 bits, in hexadecimal digits; bash takes SRANDOM from the kernel's generator.
secret_make() { # FILE
  printf '%08x%08x%08x%08x%08x%08x' $SRANDOM $SRANDOM $SRANDOM $SRANDOM $SRANDOM $SRANDOM >"$1"
}

secrets_make() {
  [[ -s $D/secrets/admin_token ]] || secret_make "$D/secrets/admin_token"
  # Never changed: it is what tells the order ids that this deployment issued.
  [[ -s $D/secrets/id_key ]] || head -c 32 /dev/urandom >"$D/secrets/id_key"
}

# D/seckill.conf, for any program's --config, and D/env, to be sourced.
config_write() {
  local address REPLY
  listen_address order
  address=$REPLY
  broker_urls
  cat >"$D/seckill.conf" <<CONF
# Written by deploy/stack.sh at every "up".
http {
  listen = "$address"
}
broker {
  url = "$REPLY"
}
store {
  dir = "$D/store"
}
auth {
  admin_token_file = "$D/secrets/admin_token"
}
order {
  id_key_file = "$D/secrets/id_key"
}
CONF
  {
    unit_url order
    printf 'export SECKILL_URL=%q\n' "$REPLY"
    printf 'export SECKILL_ADMIN_TOKEN_FILE=%q\n' "$D/secrets/admin_token"
    broker_url broker
    printf 'export SECKILL_AMQP_URL=%q\n' "$REPLY"
    printf 'export SECKILL_BIN=%q\n' "$BIN"
    printf 'export SECKILL_CONFIG=%q\n' "$D/seckill.conf"
  } >"$D/env"
}

# --- settings given with --set: D/run/set holds those of all programs, D/run/UNIT.set those of one; one on each line.

# Those of a start that fails are not to spoil the next one: settings_add is followed by settings_keep or _forget.
settings_add() { # FILE SECTION.KEY=VALUE...
  local file=$1 setting
  shift
  (( $# > 0 )) || return 0
  touch "$file"
  cp "$file" "$file.before"
  for setting in "$@"; do
    # The same key again replaces what was there.
    { awk -v key="${setting%%=*}=" 'index($0, key) != 1' "$file"; printf '%s\n' "$setting"; } >"$file.new"
    mv "$file.new" "$file"
  done
}

settings_keep() { rm -f "$1.before"; }                            # FILE
settings_forget() { [[ ! -e $1.before ]] || mv "$1.before" "$1"; } # FILE

# --set arguments of a unit, into SETTINGS; a later one wins.
settings_of() { # UNIT
  local REPLY
  SETTINGS=()
  settings_read "$D/run/set"
  ! port_get "$1" || SETTINGS+=(--set "http.listen=127.0.0.1:$REPLY")
  settings_read "$D/run/$1.set"
}

settings_read() { # FILE
  local setting
  [[ -e $1 ]] || return 0
  while IFS= read -r setting; do
    SETTINGS+=(--set "$setting")
  done <"$1"
}

# REPLY = where a front end listens, by the same rules as the program: its own port, else everyone's; a --set wins.
listen_address() { # UNIT
  local i SETTINGS
  settings_of "$1"
  port_get "$1" || port_get http || true
  REPLY=127.0.0.1:$REPLY
  for (( i = 1; i < ${#SETTINGS[@]}; i += 2 )); do
    [[ ${SETTINGS[i]} != http.listen=* ]] || REPLY=${SETTINGS[i]#*=}
  done
}

unit_url() { # UNIT; REPLY = the front end's address for a client
  local scheme=http SETTINGS
  listen_address "$1"
  settings_of "$1"
  [[ " ${SETTINGS[*]}" != *' http.tls_cert_file='[!\ ]* ]] || scheme=https
  REPLY=$scheme://${REPLY/#0.0.0.0:/127.0.0.1:}
}

# --- start and readiness

# Starts units and waits until each says that it is ready, and each front end's /readyz too. Fails as soon as one ends,
# or when the time is over; the exit status is the service's own if it has ended.
# With NO_WAIT set it only starts them.
units_start() { # UNIT...
  local unit name what rest out seconds=${SECKILL_START_TIMEOUT:-60} status=0
  local -A socket=() said=() waiting=()
  exec {out}< <(exec 9>&-; exec "$PYTHON" "${BASH_SOURCE[0]%/*}/ready.py" "$seconds" "$@" </dev/null)
  for unit in "$@"; do
    read -r -t 30 -u "$out" name what rest || die "$EX_UNAVAILABLE" "the listener for ready signals does not start"
    socket[$name]=$rest
  done
  for unit in "$@"; do
    unit_run "$unit" "${socket[$unit]}"
    waiting[$unit]=yes
  done
  if [[ -z ${NO_WAIT:-} ]]; then
    units_wait "$out" || status=$?
  fi
  exec {out}<&-
  return "$status"
}

# The rest of units_start, in its variables: reads what the listener prints.
units_wait() { # FILE_DESCRIPTOR
  local unit name what rest end=$((SECONDS + seconds))
  while (( ${#waiting[@]} > 0 )); do
    if read -r -u "$1" name what rest; then
      case $what in
        status) said[$name]=$rest ;;
        ready) unset "waiting[$name]" ;;
      esac
      [[ $what == tick ]] || continue
    else
      pause 0.1 # the listener has ended: its time was over
    fi
    any_ended "${!socket[@]}" && { unit_failed "$ENDED" "has ended"; unit_exit_status "$ENDED"; return; }
    (( SECONDS < end )) && continue
    unit=${!waiting[*]} unit=${unit%% *}
    unit_failed "$unit" "is not ready after $seconds s${said[$unit]:+ (${said[$unit]})}"
    return "$EX_UNAVAILABLE"
  done
  for unit in "${!socket[@]}"; do
    is_front_end "$unit" || continue
    front_end_settled() { front_end_ready "$unit" || any_ended "${!socket[@]}"; }
    wait_until "$(( end > SECONDS ? end - SECONDS : 1 ))" front_end_settled ||
      { unit_failed "$unit" "does not get ready: $(front_end_answer "$unit")"; return "$EX_UNAVAILABLE"; }
  done
  any_ended "${!socket[@]}" || return 0
  unit_failed "$ENDED" "has ended"
  unit_exit_status "$ENDED"
}

any_ended() { # UNIT...; ENDED = the first one that has
  for ENDED in "$@"; do
    unit_alive "$ENDED" || return 0
  done
  return 1
}

unit_failed() { # UNIT WHAT
  warn "$1 $2"
  show_tail "$D/log/$1.log" 25
}

unit_run() { # UNIT NOTIFY_SOCKET
  local unit=$1 notify=$2 SETTINGS init=() nice=()
  settings_of "$unit"
  # Only ever the first time in this folder: after that a missing database is a fault, not a beginning.
  [[ -z ${INITIALISE:-} || -e $D/run/$unit.initialised ]] || is_front_end "$unit" || init=(--init)
  # Messages and red packets can wait for a moment, orders and decisions cannot.
  case ${unit%%@*} in notification | redpacket) nice=(nice -n 10) ;; esac
  unit_launch "$unit" "${nice[@]}" env NOTIFY_SOCKET="$notify" ${FAULT:+"SECKILL_FAULT=$FAULT"} \
    "$BIN/seckill-${unit%%@*}" --config "$D/seckill.conf" "${SETTINGS[@]}" "${init[@]}"
}

# Of two front ends on one port the kernel picks one for each connection: ask until either has most probably been asked.
front_end_ready() { # UNIT
  local url i times=1 REPLY
  unit_url order && url=$REPLY
  unit_url "$1"
  [[ $1 == order || $REPLY != "$url" ]] || times=8
  for (( i = 0; i < times; i++ )); do
    local_curl --fail --output /dev/null "$REPLY/readyz" 2>/dev/null || return 1
  done
}

front_end_answer() { # UNIT
  local REPLY
  unit_url "$1"
  local_curl "$REPLY/readyz" 2>&1 || true
}

# The system's own: one that a version manager puts first in the path takes several times as long to start.
PYTHON=/usr/bin/python3
[[ -x $PYTHON ]] || PYTHON=python3
