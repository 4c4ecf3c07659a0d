# shellcheck shell=bash
# The stack's private RabbitMQ node, out of Debian's package but sharing nothing with the system's own: own data,
# configuration, cookie, ports and name server (epmd), all on the loopback.
#
# The programs in /usr/sbin change to the user rabbitmq; those in /usr/lib/rabbitmq/bin run as whoever calls them.
#
# Needs lib/common.sh, lib/process.sh, lib/ports.sh and D.

RABBITMQ_PROGRAMS=/usr/lib/rabbitmq/bin
BROKER_NODE=seckill@localhost
BROKER_VHOST=seckill
BROKER_USER=seckill

# The whole environment of node and rabbitmqctl, for "env -i": whatever RABBITMQ_* or ERL_* the caller has is meant for
# another broker. Sets BROKER_ENV.
broker_env() {
  local home=$D/broker amqp dist epmd REPLY
  port_get amqp && amqp=$REPLY && port_get dist && dist=$REPLY && port_get epmd && epmd=$REPLY
  BROKER_ENV=(
    "PATH=/usr/local/bin:/usr/bin:/bin" LANG=C.UTF-8 "HOME=$home/home"
    # exec the Erlang VM instead of keeping a shell in front of it: the unit's process is the node itself.
    RUNNING_UNDER_SYSTEMD=true
    RABBITMQ_CONF_ENV_FILE=/dev/null
    "RABBITMQ_NODENAME=$BROKER_NODE" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
    "RABBITMQ_NODE_PORT=$amqp" "RABBITMQ_DIST_PORT=$dist"
    "ERL_EPMD_PORT=$epmd" ERL_EPMD_ADDRESS=127.0.0.1
    "ERL_INETRC=$home/inetrc" "ERL_CRASH_DUMP=$D/log/erl_crash.dump"
    "RABBITMQ_MNESIA_BASE=$home/mnesia" "RABBITMQ_LOG_BASE=$D/log" "RABBITMQ_LOGS=$D/log/rabbitmq.log"
    "RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf" "RABBITMQ_ADVANCED_CONFIG_FILE=$home/advanced.config"
    "RABBITMQ_GENERATED_CONFIG_DIR=$home/generated" "RABBITMQ_PLUGINS_EXPAND_DIR=$home/expanded"
    "RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins" "RABBITMQ_PLUGINS_DIR=$home/applications"
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}"
    "RABBITMQ_CTL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}"
    # Any port: of the ten it takes by default there may be none left beside other stacks' calls.
    RABBITMQ_CTL_DIST_PORT_MIN=0 RABBITMQ_CTL_DIST_PORT_MAX=0
  )
}

# Everything that the node reads, anew at each start: the ports may have changed. The password stays.
broker_configure() {
  local home=$D/broker password
  # A node that is killed in the middle of its very first start does not always start again from what it leaves. Until
  # it has taken the definitions nothing can be in it.
  [[ -e $home/imported.json ]] || rm -rf -- "$home/mnesia"
  mkdir -p "$home"/{home,mnesia,applications}
  if [[ ! -s $D/secrets/broker_password ]]; then
    random_hex 24 >"$D/secrets/broker_password"
    random_hex 24 >"$home/home/.erlang.cookie"
    chmod 400 "$home/home/.erlang.cookie"
  fi
  password=$(<"$D/secrets/broker_password")
  printf '[].\n' >"$home/enabled_plugins"
  # What "localhost" is does not depend on the machine's name service, nor on its having an /etc/hosts at all.
  printf '%s\n' '{host, {127,0,0,1}, ["localhost"]}.' '{lookup, [file, native]}.' >"$home/inetrc"
  # The user and the virtual host come to be at the first start, in place of guest and /.
  cat >"$home/rabbitmq.conf" <<CONF
default_vhost = $BROKER_VHOST
default_user = $BROKER_USER
default_pass = $password
default_user_tags.monitoring = true
log.file.level = info
CONF
  broker_link_applications "$home/applications"
  broker_env
  # For people and tests: rabbitmqctl for this node, whatever the caller's environment.
  {
    printf '#!/bin/bash\n# rabbitmqctl for the private node of this folder.\nexec env -i'
    printf ' %q' "${BROKER_ENV[@]}" "$RABBITMQ_PROGRAMS/rabbitmqctl" -n "$BROKER_NODE"
    printf ' "$@"\n'
  } >"$D/rabbitmqctl"
  chmod 700 "$D/rabbitmqctl"
}

# No plugin is enabled; yet a node reads all sixty of them at every start, which takes it a second and more. So it
# gets to see its libraries only.
broker_link_applications() { # DIR
  local application
  for application in "$RABBITMQ_PROGRAMS"/../lib/rabbitmq_server-*/plugins/*-*; do
    case ${application##*/} in
      rabbitmq_prelaunch-*) ;;
      rabbitmq_*) continue ;;
    esac
    ln -sfn "$(realpath "$application")" "$1/${application##*/}"
  done
}

random_hex() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; } # BYTES

broker_url() {
  local REPLY
  port_get amqp
  printf 'amqp://%s:%s@127.0.0.1:%s/%s' "$BROKER_USER" "$(<"$D/secrets/broker_password")" "$REPLY" "$BROKER_VHOST"
}

# Starts the name server and the node, and returns at once; fails if the former does not run. Of the caller's
# environment they get our own marks only.
broker_launch() {
  local epmd name marks=() REPLY
  [[ -x $RABBITMQ_PROGRAMS/rabbitmq-server ]] ||
    die "$EX_UNAVAILABLE" "RabbitMQ is not installed: sudo apt-get install --no-install-recommends rabbitmq-server"
  broker_configure
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
  unit_launch broker env -i "${marks[@]}" "${BROKER_ENV[@]}" SECKILL_STACK="$D" SECKILL_UNIT=broker \
    "$RABBITMQ_PROGRAMS/rabbitmq-server"
}

# Until the node takes connections (it opens its port last), or has ended.
broker_wait() {
  local port REPLY
  port_get amqp && port=$REPLY
  broker_settled() { port_listens "$port" || ! unit_alive broker; }
  wait_until "${SECKILL_BROKER_TIMEOUT:-90}" broker_settled && unit_alive broker
}

# The node, or the name server (which does not say so), has ended because another process has one of its ports.
broker_lost_its_port() {
  unit_alive epmd || return 0
  ! unit_alive broker &&
    grep -qE 'eaddrinuse|already in use|already_used' < <(tail -n 80 "$D/log/broker.log" "$D/log/rabbitmq.log")
}

# Imports a definitions file, unless it is what was imported last. The node has opened its port, but may need another
# moment to take commands.
broker_import() { # FILE
  local file=$1 imported=$D/broker/imported.json
  ! cmp -s "$file" "$imported" || return 0
  wait_until 10 broker_import_once "$file" || { show_tail "$D/log/rabbitmqctl.log" 20; return 1; }
  cp "$file" "$imported"
}

broker_import_once() { "$D/rabbitmqctl" import_definitions "$1" </dev/null >"$D/log/rabbitmqctl.log" 2>&1; } # FILE

broker_end() { # SIGNAL SECONDS
  unit_end broker "$1" "$2" || return 1
  # Helpers of the node (erl_child_setup, inet_gethost, the disk monitor) go once their parent is gone.
  sweep broker
}
