# shellcheck shell=bash
# The stack's private RabbitMQ node, out of Debian's package but sharing nothing with the system's own: own data,
# configuration, cookie, ports and name server (epmd), all on the loopback. Or several nodes, which are one cluster.
#
# Their units are broker, broker@2, broker@3 …; the first one is where the others join, once, when the folder is new.
# What a node has of its own carries the same "@2": its ports, logs and configuration. The rest is common to all.
#
# The programs in /usr/sbin change to the user rabbitmq; those in /usr/lib/rabbitmq/bin run as whoever calls them.
#
# Needs lib/common.sh, lib/process.sh, lib/ports.sh and D.

RABBITMQ_PROGRAMS=/usr/lib/rabbitmq/bin
BROKER_VHOST=seckill
BROKER_USER=seckill
BROKER_NODES_MAX=7

is_broker() { [[ ${1%%@*} == broker ]]; } # UNIT

broker_node() { # UNIT; REPLY = the node's name
  local mark=${1#broker}
  REPLY=seckill${mark#@}@localhost
}

# REPLY = how many nodes the folder's broker has: settled by the first "up".
broker_count() {
  REPLY=1
  [[ ! -s $D/broker/nodes ]] || REPLY=$(<"$D/broker/nodes")
}

# The units of all nodes, into BROKERS.
broker_units() {
  local i REPLY
  broker_count
  BROKERS=(broker)
  for (( i = 2; i <= REPLY; i++ )); do BROKERS+=("broker@$i"); done
}

# The whole environment of node and rabbitmqctl, for "env -i": whatever RABBITMQ_* or ERL_* the caller has is meant for
# another broker. Sets BROKER_ENV.
broker_env() { # UNIT
  local home=$D/broker mark amqp dist epmd tick='' REPLY
  mark=${1#broker}
  port_get "amqp$mark" && amqp=$REPLY && port_get "dist$mark" && dist=$REPLY && port_get epmd && epmd=$REPLY
  broker_node "$1"
  # After this many seconds without a sign of life a node counts as gone (otherwise 60). For tests.
  [[ -z ${SECKILL_BROKER_TICK:-} ]] || tick=" -kernel net_ticktime $SECKILL_BROKER_TICK"
  BROKER_ENV=(
    "PATH=/usr/local/bin:/usr/bin:/bin" LANG=C.UTF-8 "HOME=$home/home"
    # exec the Erlang VM instead of keeping a shell in front of it: the unit's process is the node itself.
    RUNNING_UNDER_SYSTEMD=true
    RABBITMQ_CONF_ENV_FILE=/dev/null
    "RABBITMQ_NODENAME=$REPLY" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
    "RABBITMQ_NODE_PORT=$amqp" "RABBITMQ_DIST_PORT=$dist"
    "ERL_EPMD_PORT=$epmd" ERL_EPMD_ADDRESS=127.0.0.1
    "ERL_INETRC=$home/inetrc" "ERL_CRASH_DUMP=$D/log/erl_crash$mark.dump"
    "RABBITMQ_MNESIA_BASE=$home/mnesia" "RABBITMQ_LOG_BASE=$D/log" "RABBITMQ_LOGS=$D/log/rabbitmq$mark.log"
    "RABBITMQ_CONFIG_FILE=$home/rabbitmq$mark.conf" "RABBITMQ_ADVANCED_CONFIG_FILE=$home/advanced.config"
    "RABBITMQ_GENERATED_CONFIG_DIR=$home/generated$mark" "RABBITMQ_PLUGINS_EXPAND_DIR=$home/expanded$mark"
    "RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins" "RABBITMQ_PLUGINS_DIR=$home/applications"
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}$tick"
    "RABBITMQ_CTL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}"
    # Any port: of the ten it takes by default there may be none left beside other stacks' calls.
    RABBITMQ_CTL_DIST_PORT_MIN=0 RABBITMQ_CTL_DIST_PORT_MAX=0
  )
}

# Everything that the node reads, anew at each start: the ports may have changed. The password stays.
broker_configure() { # UNIT
  local home=$D/broker mark=${1#broker} password REPLY
  mkdir -p "$home"/{home,mnesia,applications}
  if [[ ! -s $D/secrets/broker_password ]]; then
    secret_make "$D/secrets/broker_password"
    secret_make "$home/home/.erlang.cookie"
    chmod 400 "$home/home/.erlang.cookie"
  fi
  password=$(<"$D/secrets/broker_password")
  printf '[].\n' >"$home/enabled_plugins"
  # What "localhost" is does not depend on the machine's name service, nor on its having an /etc/hosts at all.
  printf '%s\n' '{host, {127,0,0,1}, ["localhost"]}.' '{lookup, [file, native]}.' >"$home/inetrc"
  # The user and the virtual host come to be at the first start, in place of guest and /.
  cat >"$home/rabbitmq$mark.conf" <<CONF
default_vhost = $BROKER_VHOST
default_user = $BROKER_USER
default_pass = $password
default_user_tags.monitoring = true
log.file.level = info
CONF
  # As rabbitmq/advanced.config has it.
  printf '%s\n' '[{ra, [{wal_write_strategy, o_sync}]},' \
    ' {rabbit, [{dead_letter_worker_publisher_confirm_timeout, 10000}]}].' >"$home/advanced.config"
  # More lines for the node, of a test that wants a TLS listener, say.
  [[ -z ${SECKILL_BROKER_CONF:-} ]] || cat "$SECKILL_BROKER_CONF" >>"$home/rabbitmq$mark.conf"
  broker_count
  (( REPLY == 1 )) || broker_configure_cluster "$1" >>"$home/rabbitmq$mark.conf"
  broker_link_applications "$home/applications"
  broker_env broker
  # For people and tests: rabbitmqctl for this folder's node (the first, without -n), whatever the caller's environment.
  {
    printf '#!/bin/bash\n# rabbitmqctl for the private node of this folder.\nexec env -i'
    printf ' %q' "${BROKER_ENV[@]}" "$RABBITMQ_PROGRAMS/rabbitmqctl"
    printf ' "$@"\n'
  } >"$D/rabbitmqctl"
  chmod 700 "$D/rabbitmqctl"
}

# A node that is cut off from the majority stops serving, rather than go on with what may not be so any more. A new one
# waits for the first and joins it. For that it takes a lock, if it finds itself in the list; the first has no list, since
# it would wait for the lock of those who wait for it.
broker_configure_cluster() { # UNIT
  printf 'cluster_partition_handling = pause_minority\n'
  [[ $1 != broker ]] || return 0
  local first REPLY
  broker_node broker && first=$REPLY
  broker_node "$1"
  cat <<CONF
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = $first
cluster_formation.classic_config.nodes.2 = $REPLY
cluster_formation.discovery_retry_limit = 180
cluster_formation.discovery_retry_interval = 500
CONF
}

# No plugin is enabled; yet a node reads all sixty of them at every start, which takes it a second and more. So it
# gets to see its libraries only.
broker_link_applications() { # DIR
  local application applications=()
  for application in "${RABBITMQ_PROGRAMS%/*}"/lib/rabbitmq_server-*/plugins/*-*; do
    case ${application##*/} in
      rabbitmq_prelaunch-*) ;;
      rabbitmq_*) continue ;;
    esac
    applications+=("$application")
  done
  ln -sfn -t "$1" -- "${applications[@]}"
}

broker_url() { # UNIT; REPLY = where it takes connections
  port_get "amqp${1#broker}"
  REPLY="amqp://$BROKER_USER:$(<"$D/secrets/broker_password")@127.0.0.1:$REPLY/$BROKER_VHOST"
}

broker_urls() { # REPLY = those of all nodes, as broker.url takes them
  local unit urls='' BROKERS
  broker_units
  for unit in "${BROKERS[@]}"; do
    broker_url "$unit"
    urls+=${urls:+,}$REPLY
  done
  REPLY=$urls
}

# Starts the name server and the node, and returns at once; fails if the former does not run. Of the caller's
# environment they get our own marks only.
broker_launch() { # UNIT
  local epmd name marks=() REPLY
  [[ -x $RABBITMQ_PROGRAMS/rabbitmq-server ]] ||
    die "$EX_UNAVAILABLE" "RabbitMQ is not installed: sudo apt-get install --no-install-recommends rabbitmq-server"
  broker_configure "$1"
  broker_env "$1"
  while read -r name; do
    marks+=("$name=${!name}")
  done < <(compgen -e SECKILL_ || true)
  if ! unit_alive epmd; then
    port_get epmd && epmd=$REPLY
    unit_launch epmd env -i "${marks[@]}" "${BROKER_ENV[@]}" SECKILL_STACK="$D" SECKILL_UNIT=epmd \
      epmd -address 127.0.0.1 -port "$epmd"
    # The node would start another one, as a daemon, if it found none.
    epmd_settled() { port_listens "$epmd" || ! unit_alive epmd; }
    wait_until 10 epmd_settled && unit_alive epmd || return 1
  fi
  unit_launch "$1" env -i "${marks[@]}" "${BROKER_ENV[@]}" SECKILL_STACK="$D" SECKILL_UNIT="$1" \
    "$RABBITMQ_PROGRAMS/rabbitmq-server"
}

# Until the node takes connections (it opens its port last), or has ended.
broker_wait() { # UNIT
  local unit=$1 port REPLY
  port_get "amqp${unit#broker}" && port=$REPLY
  broker_settled() { port_listens "$port" || ! unit_alive "$unit"; }
  wait_until "${SECKILL_BROKER_TIMEOUT:-90}" broker_settled && unit_alive "$unit"
}

# The node, or the name server (which does not say so), has ended because another process has one of its ports.
broker_lost_its_port() { # UNIT
  unit_alive epmd || return 0
  ! unit_alive "$1" &&
    grep -qE 'eaddrinuse|already in use|already_used' < <(tail -n 80 "$D/log/$1.log" "$D/log/rabbitmq${1#broker}.log")
}

broker_show_logs() { # UNIT LINES
  show_tail "$D/log/$1.log" "$2"
  show_tail "$D/log/rabbitmq${1#broker}.log" "$2"
}

# Imports a definitions file, unless it is what was imported last and is not to be imported again. The node has opened
# its port, but may need another moment to take commands. A queue gets its replicas when it comes to be, on the nodes
# that have joined by then.
broker_import() { # FILE [again]
  local file=$1 imported=$D/broker/imported.json REPLY
  [[ -n ${2:-} ]] || ! cmp -s "$file" "$imported" || return 0
  broker_count
  (( REPLY == 1 )) || broker_command await_online_nodes "$REPLY" -t 60 ||
    { show_tail "$D/log/rabbitmqctl.log" 20; return 1; }
  wait_until 10 broker_takes "$file" || { show_tail "$D/log/rabbitmqctl.log" 20; return 1; }
  cp "$file" "$imported"
}

# rabbitmqctl is an Erlang VM of its own, which takes most of a second of a core; erl_call, which comes with Erlang, asks
# the node for the same thing in hundredths of one. It ends by a segmentation fault where the machine's own name has no
# address. The file by its name in D, where the node is: Erlang reads one in other letters than ASCII as something else.
broker_takes() { # FILE
  local answer BROKER_ENV REPLY
  if command -v erl_call && getent hosts "$HOSTNAME"; then
    broker_env broker
    broker_node broker
    answer=$(printf '{ok, File} = file:read_file("%s"), rabbit_definitions:import_raw(File).\n' "${1#"$D/"}" |
      env -i "${BROKER_ENV[@]}" erl_call -r -sname "$REPLY" -timeout 30 -e 2>&1) || true
    [[ $answer != '{ok, ok}' ]] || return 0
    printf 'erl_call: %s\n' "$answer" >"$D/log/rabbitmqctl.log"
    return 1
  fi >/dev/null
  broker_command import_definitions "$1"
}

broker_command() { "$D/rabbitmqctl" "$@" </dev/null >"$D/log/rabbitmqctl.log" 2>&1; } # WORD...

broker_end() { # UNIT SIGNAL SECONDS
  unit_end "$@" || return 1
  # Helpers of the node (erl_child_setup, inet_gethost, the disk monitor) go once their parent is gone.
  sweep "$1"
}
