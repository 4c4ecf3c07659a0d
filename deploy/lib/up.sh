# shellcheck shell=bash
# stack.sh up: from nothing, or from what is left of it, to a stack that is ready; or back to where it was.
#
# Needs the other parts, and the command line as stack.sh has parsed it.

command_up() {
  local started=$EPOCHREALTIME REPLY
  mkdir -p "$D"/{run,log,store,secrets,broker}
  lock
  if everything_runs; then
    refuse_changes
    up_topology
    unit_url order
    say "already up: $REPLY"
    return
  fi
  clear_leftovers
  # Whatever this command has started goes again if it does not come to its end.
  STARTED=()
  trap up_undo EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  secrets_make
  settings_add "$D/run/set" "${SETS[@]}"
  settle_nodes
  choose_programs
  up_broker
  up_topology
  up_services
  touch "$D/run/up"
  settings_keep "$D/run/set"
  trap - EXIT INT TERM
  unit_url order
  say "up: $REPLY ($(seconds_since "$started"))"
}

# A folder that was deleted under a running stack, and made again: nobody knows of its processes any more.
clear_leftovers() {
  [[ ! -e $D/run/ports ]] || return 0
  no_marked_processes || { warn "ending what still runs of an earlier stack in $D"; sweep; }
}

everything_runs() {
  local unit units PRESENT BROKERS
  [[ -s $D/run/bin ]] || return 1
  BIN=$(<"$D/run/bin")
  services_present
  broker_units
  units=("${BROKERS[@]}" "${PRESENT[@]}")
  (( ${#PRESENT[@]} > 0 )) && ! any_ended "${units[@]}" && front_end_ready order
}

# A running stack is not changed by "up": rather say so than leave the caller in the belief that it was.
refuse_changes() {
  local REPLY
  listen_address order
  [[ -z $HTTP_PORT || $REPLY == *":$HTTP_PORT" ]] ||
    die "$EX_USAGE" "the stack is up on another HTTP port; 'down' first"
  port_get amqp
  [[ -z $AMQP_PORT || $REPLY == "$AMQP_PORT" ]] || die "$EX_USAGE" "the stack is up on another AMQP port; 'down' first"
  refuse_other_nodes
  [[ -z $BUILD_DIR || $BIN == "$BUILD_DIR/bin" ]] || die "$EX_USAGE" "the stack is up from $BIN; 'down' first"
  local setting SETTINGS
  settings_of order
  for setting in "${SETS[@]}"; do
    [[ " ${SETTINGS[*]} " == *" $setting "* ]] || die "$EX_USAGE" "the stack is up without --set $setting; 'down' first"
  done
}

refuse_other_nodes() {
  local REPLY
  broker_count
  [[ -z $NODES || $NODES == "$REPLY" ]] || die "$EX_USAGE" "the broker in $D has $REPLY node(s), and keeps them"
}

# Until the broker has taken the first definitions nothing is in it, and it may become another one.
settle_nodes() {
  if [[ -e $D/broker/imported.json ]]; then
    refuse_other_nodes
  elif [[ -n $NODES ]]; then
    printf '%s\n' "$NODES" >"$D/broker/nodes"
  fi
}

# The programs in BIN: of the folder asked for, else of the one that this stack had, else of build/release, which is
# kept up to date with the sources. BUILD_PID is what builds them, if anything does.
choose_programs() {
  local default=$SECKILL_REPO/build/release dir=$BUILD_DIR
  [[ -n $dir || ! -s $D/run/bin ]] || { dir=$(<"$D/run/bin"); dir=${dir%/bin}; }
  dir=${dir:-$default}
  BIN=$dir/bin BUILD_PID=
  if built "$dir"; then
    [[ $dir == "$default" ]] || return 0
    # Programs without the means to build them (an installed copy, another user's) are used as they are.
    command -v cmake >/dev/null && command -v ninja >/dev/null && [[ -w $dir ]] || return 0
  else
    say "building in $dir"
  fi
  # Others may use these programs too, as far as the caller lets them.
  (umask "$CALLERS_UMASK" && build "$dir" Release) 9>&- &
  BUILD_PID=$!
}

# The broker takes seconds to start, so it goes first, and the build runs beside it.
up_broker() {
  local attempt BROKERS
  broker_units
  for attempt in 1 2 3; do
    up_clear_broker
    up_claim_ports
    up_launch_brokers
    [[ -z $BUILD_PID ]] || wait "$BUILD_PID" || die 1 "the build failed"
    BUILD_PID=
    built "${BIN%/bin}" || die "$EX_UNAVAILABLE" "the programs are not in $BIN"
    printf '%s\n' "$BIN" >"$D/run/bin"
    config_write
    up_wait_brokers && break
    (( attempt < 3 )) && [[ -z $AMQP_PORT ]] && broker_lost_its_port "$FAILED" || {
      broker_show_logs "$FAILED" 15
      die "$EX_UNAVAILABLE" "the broker does not start"
    }
    warn "another process has one of the broker's ports: trying others"
    up_give_ports_up
  done
}

# A node that is killed in the middle of its very first start does not always start again from what it leaves, nor does
# it join a second time. Until the broker has taken the definitions nothing can be in it.
up_clear_broker() {
  [[ ! -e $D/broker/imported.json ]] && any_ended "${BROKERS[@]}" || return 0
  local unit
  for unit in "${BROKERS[@]}"; do
    ! unit_alive "$unit" || broker_end "$unit" KILL 10
  done
  rm -rf -- "$D/broker/mnesia"
}

# All at once: nodes of a cluster wait for each other. But a new one is formed one by one: a node that is still booting
# while another joins may end with "replicas are not active yet".
up_launch_brokers() {
  local unit
  for unit in "${BROKERS[@]}"; do
    ! unit_alive "$unit" || continue
    STARTED+=("$unit")
    broker_launch "$unit" || true # up_wait_brokers finds out
    (( ${#BROKERS[@]} == 1 )) || [[ -e $D/broker/imported.json ]] || broker_wait "$unit" || return 0
  done
}

up_wait_brokers() { # FAILED = the one that does not start
  for FAILED in "${BROKERS[@]}"; do
    broker_wait "$FAILED" || return 1
  done
}

# All of them: the nodes find each other by the name server's port.
up_give_ports_up() {
  local unit
  for unit in "${BROKERS[@]}"; do
    broker_end "$unit" KILL 10 || true
    ports_forget "amqp${unit#broker}" "dist${unit#broker}"
  done
  unit_end epmd TERM 5 || true
  ports_forget epmd
}

# Queues, bindings and policies, which the services expect to find.
up_topology() {
  local SETTINGS ctl attempt
  settings_of seckillctl
  ctl=("$BIN/seckillctl" --config "$D/seckill.conf" "${SETTINGS[@]}")
  "${ctl[@]}" topology definitions >"$D/broker/definitions.json" ||
    die "$EX_CONFIG" "seckillctl does not print the topology"
  # It takes them in its own time. And a cluster that has just formed dropped them once, without a word, after the
  # policies; or somebody deleted a queue since. Taking what it has again changes nothing.
  topology_stands() { "${ctl[@]}" topology check >"$D/log/topology.log" 2>&1; }
  for attempt in '' again again; do
    if [[ -n $attempt ]]; then
      show_tail "$D/log/topology.log" 20
      warn "the broker lacks this, and is given it again; what was in a queue that was deleted is lost, see 'seckillctl audit'"
    fi
    broker_import "$D/broker/definitions.json" $attempt || die "$EX_UNAVAILABLE" "the broker does not take the definitions"
    ! wait_until 10 topology_stands || return 0
  done
  show_tail "$D/log/topology.log" 20
  die "$EX_UNAVAILABLE" "the broker does not have all of the topology"
}

# What runs keeps its ports.
up_claim_ports() {
  local unit UNITS front_end='' wanted=$AMQP_PORT
  units_known
  for unit in "${UNITS[@]}"; do
    ! is_front_end "$unit" || ! unit_alive "$unit" || front_end=$unit
  done
  ports_lock
  [[ -n $front_end ]] || port_claim http "$HTTP_PORT"
  for unit in "${BROKERS[@]}"; do
    ! unit_alive "$unit" || continue
    [[ $unit == broker ]] || wanted= # it is for the first node
    port_claim "amqp${unit#broker}" "$wanted"
    port_claim "dist${unit#broker}"
  done
  unit_alive epmd || port_claim epmd
  ports_unlock
}

up_services() {
  local unit PRESENT missing=() status=0
  services_present
  for unit in "${PRESENT[@]}"; do
    unit_alive "$unit" || missing+=("$unit")
  done
  STARTED+=("${missing[@]}")
  INITIALISE=yes
  NO_WAIT=
  (( ${#missing[@]} == 0 )) || units_start "${missing[@]}" || status=$?
  (( status == 0 )) || die "$status" "the stack did not come up; its logs are in $D/log"
  # Those that ran already may have to find their way back to the broker.
  wait_until 60 front_end_ready order ||
    die "$EX_UNAVAILABLE" "the front end does not get ready: $(front_end_answer order)"
  for unit in "${missing[@]}"; do
    touch "$D/run/$unit.initialised"
  done
}

up_undo() {
  local status=$? unit
  trap '' INT TERM
  set +e
  disown -a # the shell would tell of the end of each
  settings_forget "$D/run/set"
  for unit in "${STARTED[@]}"; do
    is_broker "$unit" || unit_end "$unit" TERM 10 || unit_end "$unit" KILL 5
  done
  # What the queues hold is on the disk: no reason to wait for an orderly end.
  for unit in "${STARTED[@]}"; do
    ! is_broker "$unit" || broker_end "$unit" KILL 10
  done
  if [[ ! -e $D/run/up ]]; then # else the rest was there before, and stays
    unit_end epmd TERM 5
    sweep
    ports_release
  fi
  exit "$status"
}

