#!/bin/bash
# Prepares the RabbitMQ node of this machine for Seckill. May be run again at any time: what is there is brought up to
# date, passwords stay, and nothing that is queued is touched. Needs root (for rabbitmqctl), and a node that runs.
#
#   setup.sh [OPTION]...
#     --vhost NAME         virtual host (that of broker.url)
#     --config FILE        Seckill's settings, for the number of shards and the virtual host (/etc/seckill/seckill.conf)
#     --credentials DIR    where passwords are kept, mode 0600 (/etc/seckill/credentials)
#     --conf FILE          the limits to install as /etc/rabbitmq/conf.d/50-seckill.conf (rabbitmq.conf beside this file)
#     --no-conf            leave the node's configuration, with advanced.config, and plugins alone
#     --no-restart         do not restart the node where its configuration changed; say that it is needed
#     --keep-guest         leave the user guest, even with its well-known password
#     --remove             take the virtual host, with all that is queued in it, the users and the node's configuration
#                          away again
#
# One import of one definitions file does the whole: no password is ever on a command line or in a file but its own. The
# file has their salted hashes, and only the user rabbitmq, as whom rabbitmqctl runs, may read it while it is there.
set -euo pipefail
shopt -s inherit_errexit

HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
CONFIG=/etc/seckill/seckill.conf CREDENTIALS=/etc/seckill/credentials CONF=$HERE/rabbitmq.conf
VHOST='' WITH_CONF=yes RESTART=yes KEEP_GUEST='' REMOVE=''
SECKILLCTL=${SECKILLCTL:-seckillctl}
INSTALLED_CONF=/etc/rabbitmq/conf.d/50-seckill.conf INSTALLED_ADVANCED=/etc/rabbitmq/advanced.config
ADVANCED=$HERE/advanced.config # its first line has OURS
OURS='for Seckill'
ENABLED_PLUGINS=/etc/rabbitmq/enabled_plugins
PLUGINS=(rabbitmq_management rabbitmq_prometheus)
SERVICES=(order inventory notification redpacket ctl) # each is the user seckill-NAME, its password in NAME.password

say() { printf 'rabbitmq: %s\n' "$*"; }
die() { printf 'setup.sh: %s\n' "$2" >&2; exit "$1"; } # EXIT MESSAGE

arguments_read() { # ARGUMENT...
  while (( $# > 0 )); do
    case $1 in
    --vhost | --config | --credentials | --conf)
      (( $# > 1 )) || die 64 "$1 needs a value" ;;&
    --vhost) VHOST=$2; shift ;;
    --config) CONFIG=$2; shift ;;
    --credentials) CREDENTIALS=$2; shift ;;
    --conf) CONF=$2; shift ;;
    --no-conf) WITH_CONF='' ;;
    --no-restart) RESTART='' ;;
    --keep-guest) KEEP_GUEST=yes ;;
    --remove) REMOVE=yes ;;
    --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) die 64 "unknown option \"$1\"; see --help" ;;
    esac
    shift
  done
}

# The topology as this version of Seckill and its settings want it, into DEFINITIONS; VHOST where it was not given.
definitions_read() {
  local words=()
  # Whatever the settings name as a password is not needed for this, and may not exist yet.
  words=("$SECKILLCTL" --config "$CONFIG" --set broker.password_file= topology definitions)
  [[ -z $VHOST ]] || words+=(--vhost "$VHOST")
  DEFINITIONS=$("${words[@]}") || die 78 "the settings in $CONFIG do not serve: see above"
  [[ $DEFINITIONS =~ \"vhost\":\ \"([^\"\\]+)\" ]] || die 70 "the definitions name no virtual host"
  VHOST=${BASH_REMATCH[1]}
}

# ---- passwords ----

secret_make() { # FILE
  [[ ! -s $1 ]] || return 0
  # Whole or not at all: a power cut must not leave half a secret under its name.
  ( umask 077; head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$1.new"; sync "$1.new"; mv "$1.new" "$1" )
  say "made $1"
}

# What RabbitMQ keeps of a password (rabbit_password_hashing_sha256): base64 of salt + SHA-256(salt + password).
password_hash() { # FILE
  local salt digest
  salt=$(head -c 4 /dev/urandom | od -An -tx1 | tr -d ' \n' | sed 's/../\\x&/g')
  # shellcheck disable=SC2059 # the salt is the format: four bytes written as \xNN
  digest=$({ printf "$salt"; tr -d '\n' <"$1"; } | sha256sum | cut -c1-64 | sed 's/../\\x&/g')
  # shellcheck disable=SC2059
  printf "$salt$digest" | base64 -w 0
}

# ---- rights ----

# What each service may do in the virtual host: configure, write and read, each by name of queue or exchange. A queue
# that the broker names itself (amq.gen-…) belongs to its connection alone, so that nobody reads another's.
rights_of() { # SERVICE -> CONFIGURE WRITE READ
  case $1 in
  order) # publishes orders, questions and signs of life; reads decisions, answers and snapshots
    CONFIGURE='^amq\\.gen-.*$'
    WRITE='^(amq\\.gen-.*|seckill\\.(orders|rpc|stock))$'
    READ='^(amq\\.gen-.*|seckill\\.(reply|stock))$' ;;
  inventory)
    CONFIGURE='^seckill\\.orders\\.[0-9]+\\.active$'
    WRITE='^seckill\\.(events|dead|stock|reply)$'
    READ='^seckill\\.(orders|rpc\\.inventory)\\.[0-9]+$' ;;
  notification)
    CONFIGURE='^seckill\\.notification\\.active$'
    WRITE='^seckill\\.(retry|dead|stock|reply)$'
    READ='^seckill\\.(rpc\\.)?notification$' ;;
  redpacket)
    CONFIGURE='^seckill\\.redpacket\\.active$'
    WRITE='^seckill\\.(events|dead|stock|reply)$'
    READ='^seckill\\.(rpc\\.)?redpacket$' ;;
  ctl) # asks, and listens for signs of life; reads dead letters, and sends them back to where they came from
    CONFIGURE='^amq\\.gen-.*$'
    WRITE='^(amq\\.gen-.*|seckill\\.(rpc|orders|retry))$'
    READ='^(amq\\.gen-.*|seckill\\.(reply|stock|dead))$' ;;
  esac
}

# The same by routing key, on the two topic exchanges: SERVICE EXCHANGE WRITE.
TOPIC_RIGHTS=(
  'inventory seckill.events ^order\\.(confirmed|rejected)$'
  'redpacket seckill.events ^redpacket\\.granted$'
  'notification seckill.retry ^(1s|5s|30s|5m)\\.notification$'
  'ctl seckill.retry ^(notification|redpacket)$'
)

users_json() {
  local service comma=''
  for service in "${SERVICES[@]}"; do
    printf '%s{"name":"seckill-%s","password_hash":"%s","hashing_algorithm":"rabbit_password_hashing_sha256","tags":[]}' \
      "$comma" "$service" "$(password_hash "$CREDENTIALS/$service.password")"
    comma=,
  done
}

permissions_json() {
  local service comma='' CONFIGURE WRITE READ
  for service in "${SERVICES[@]}"; do
    rights_of "$service"
    printf '%s{"user":"seckill-%s","vhost":"%s","configure":"%s","write":"%s","read":"%s"}' \
      "$comma" "$service" "$VHOST" "$CONFIGURE" "$WRITE" "$READ"
    comma=,
  done
}

topic_permissions_json() {
  local line service exchange write comma=''
  for line in "${TOPIC_RIGHTS[@]}"; do
    read -r service exchange write <<<"$line"
    printf '%s{"user":"seckill-%s","vhost":"%s","exchange":"%s","write":"%s","read":"^$"}' \
      "$comma" "$service" "$VHOST" "$exchange" "$write"
    comma=,
  done
}

# From a file: rabbitmqctl was seen once to find the end of its standard input too early.
import() {
  local service file
  install -d -m 0700 "$CREDENTIALS"
  for service in "${SERVICES[@]}"; do secret_make "$CREDENTIALS/$service.password"; done
  file=$(mktemp)
  # shellcheck disable=SC2064 # this file, whatever `file` is then
  trap "rm -f '$file'" EXIT
  printf '{"vhosts":[{"name":"%s"}],"users":[%s],"permissions":[%s],"topic_permissions":[%s],%s' \
    "$VHOST" "$(users_json)" "$(permissions_json)" "$(topic_permissions_json)" "${DEFINITIONS#\{}" >"$file"
  chown rabbitmq "$file"
  rabbitmqctl --quiet import_definitions "$file" || die 69 "the definitions could not be imported"
  rm "$file"
  trap - EXIT
  say "virtual host $VHOST: queues, limits, and a user for each of ${SERVICES[*]}"
}

# ---- the node ----

node_wait() {
  rabbitmqctl --quiet await_startup --timeout 60 >/dev/null 2>&1 ||
    die 69 "RabbitMQ does not run here (systemctl status rabbitmq-server)"
}

advanced_is_ours() {
  [[ ! -s $INSTALLED_ADVANCED ]] || head -n 1 "$INSTALLED_ADVANCED" | grep -qF "$OURS"
}

# There is but one file for such settings, and somebody else may have written it.
advanced_is_due() {
  if ! advanced_is_ours; then
    grep -q wal_write_strategy "$INSTALLED_ADVANCED" ||
      say "left $INSTALLED_ADVANCED as it is; orders are confirmed faster with what $ADVANCED says of ra"
    grep -q dead_letter_worker_publisher_confirm_timeout "$INSTALLED_ADVANCED" ||
      say "left $INSTALLED_ADVANCED as it is; without what $ADVANCED says of dead letters, some messages to buyers come minutes" \
        "late after a restart of the broker"
    return 1
  fi
  ! cmp -s "$ADVANCED" "$INSTALLED_ADVANCED"
}

# Plugins and limits; one restart, where something of them is new. Leaves a node that answers.
node_configure() {
  local plugin missing=() changed=''
  for plugin in "${PLUGINS[@]}"; do
    grep -qsw "$plugin" "$ENABLED_PLUGINS" || missing+=("$plugin")
  done
  if (( ${#missing[@]} > 0 )); then
    rabbitmq-plugins --quiet enable --offline "${missing[@]}" >/dev/null
    say "enabled ${missing[*]}"
    changed=yes
  fi
  if ! cmp -s "$CONF" "$INSTALLED_CONF"; then
    install -D -m 0644 "$CONF" "$INSTALLED_CONF"
    say "installed $INSTALLED_CONF"
    changed=yes
  fi
  if advanced_is_due; then
    install -D -m 0644 "$ADVANCED" "$INSTALLED_ADVANCED"
    say "installed $INSTALLED_ADVANCED"
    changed=yes
  fi
  if [[ -z $changed ]]; then
    node_wait
  elif [[ -n $RESTART ]]; then
    systemctl restart rabbitmq-server
    node_wait
    say "restarted, for its configuration"
  else
    say "to be restarted, for its configuration: systemctl restart rabbitmq-server"
  fi
}

# Every user of this machine could be the broker's administrator by it.
guest_remove() {
  [[ -z $KEEP_GUEST ]] || return 0
  # The password is public; on the standard input all the same, as everywhere.
  printf 'guest\n' | rabbitmqctl --quiet authenticate_user guest >/dev/null 2>&1 || return 0
  rabbitmqctl --quiet delete_user guest >/dev/null
  say "removed the user guest, whose password everybody knows (--keep-guest leaves it)"
}

remove() {
  local service
  rabbitmqctl --quiet delete_vhost "$VHOST" 2>/dev/null || true
  for service in "${SERVICES[@]}"; do rabbitmqctl --quiet delete_user "seckill-$service" 2>/dev/null || true; done
  rm -f "$INSTALLED_CONF"
  ! advanced_is_ours || rm -f "$INSTALLED_ADVANCED"
  say "removed the virtual host $VHOST, its users and the node's configuration; passwords are still in $CREDENTIALS"
}

arguments_read "$@"
(( EUID == 0 )) || die 77 "root is needed, for rabbitmqctl and for $CREDENTIALS"
command -v rabbitmqctl >/dev/null || die 69 "RabbitMQ is not installed here: apt install rabbitmq-server"
definitions_read
if [[ -n $REMOVE ]]; then
  node_wait
  remove
  exit 0
fi
if [[ -n $WITH_CONF ]]; then node_configure; else node_wait; fi
import
guest_remove
