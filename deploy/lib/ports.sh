# shellcheck shell=bash
# Ports of a stack: D/run/ports has a line NAME=PORT for each of http, amqp, dist, epmd, and ORDER@N with a port of its
# own. Ports that we choose lie below what the kernel hands out to outgoing connections, and are kept as long as the
# folder is, so that a restarted service is found where it was.
#
# A port that is free at this moment may be one that another stack has chosen and not opened yet, or closed for a
# restart; two front ends could even share it without an error (SO_REUSEPORT). So the stacks of a user share a
# register: a symbolic link PORT -> D for each port in use, changed only under its lock.
#
# Needs lib/common.sh and D.

PORT_FIRST=20000 PORT_COUNT=12000
PORT_REGISTER=/tmp/seckill-ports-$EUID

PORTS_FD=
ports_lock() { # no harm if we have it
  [[ -z $PORTS_FD ]] || return 0
  mkdir -m 700 "$PORT_REGISTER" 2>/dev/null || true
  [[ -d $PORT_REGISTER && ! -L $PORT_REGISTER && -O $PORT_REGISTER ]] ||
    die "$EX_CONFIG" "$PORT_REGISTER is not a folder of this user's"
  exec {PORTS_FD}>"$PORT_REGISTER/.lock"
  flock -w 30 "$PORTS_FD" || die "$EX_TEMPFAIL" "$PORT_REGISTER/.lock is held by another process"
}

ports_unlock() {
  exec {PORTS_FD}>&-
  PORTS_FD=
}

port_valid() { [[ $1 =~ ^[1-9][0-9]{0,4}$ ]] && (( $1 <= 65535 )); }

# Nobody listens on it. Old connections do not matter: all our programs set SO_REUSEADDR.
port_unused() { # PORT
  local hex tables=(/proc/net/tcp)
  printf -v hex ':%04X' "$1"
  [[ ! -e /proc/net/tcp6 ]] || tables+=(/proc/net/tcp6)
  ! awk -v port="$hex" 'substr($2, length($2) - 4) == port && $4 == "0A" { found = 1 } END { exit !found }' "${tables[@]}"
}

port_listens() { { : <>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; } # PORT

# Taken by another stack that still stands by it (one whose folder was deleted does not).
port_registered_elsewhere() { # PORT
  local owner
  [[ -L $PORT_REGISTER/$1 ]] && owner=$(readlink "$PORT_REGISTER/$1") || return 1
  [[ $owner != "$D" ]] && grep -qs "=$1\$" "$owner/run/ports"
}

port_get() { # NAME; REPLY = its port
  local name port
  REPLY=
  [[ -e $D/run/ports ]] || return 1
  while IFS='=' read -r name port; do
    [[ $name != "$1" ]] || REPLY=$port
  done <"$D/run/ports"
  [[ -n $REPLY ]]
}

port_set() { # NAME PORT
  local name port
  {
    [[ ! -e $D/run/ports ]] || while IFS='=' read -r name port; do
      [[ $name == "$1" ]] || printf '%s=%s\n' "$name" "$port"
    done <"$D/run/ports"
    printf '%s=%s\n' "$1" "$2"
  } >"$D/run/ports.new"
  mv "$D/run/ports.new" "$D/run/ports"
  ln -sfn "$D" "$PORT_REGISTER/$2"
}

# Somebody else has these after all.
ports_forget() { # NAME...
  local name
  for name in "$@"; do
    sed -i "/^$name=/d" "$D/run/ports"
  done
}

# Gives NAME a port: WANTED, else the one it had, else any. Under ports_lock. A WANTED port that is taken is an error.
port_claim() { # NAME [WANTED]
  local name=$1 wanted=${2:-} port REPLY
  if [[ -n $wanted ]]; then
    ! port_registered_elsewhere "$wanted" ||
      die "$EX_UNAVAILABLE" "port $wanted belongs to the stack in $(readlink "$PORT_REGISTER/$wanted")"
    port_unused "$wanted" || die "$EX_UNAVAILABLE" "port $wanted is in use"
    port_set "$name" "$wanted"
    return
  fi
  port_get "$name" || true
  port=$REPLY
  while [[ -z $port ]] || port_registered_elsewhere "$port" || ! port_unused "$port"; do
    port=$(( PORT_FIRST + SRANDOM % PORT_COUNT ))
    # One that we have for something else is not opened yet.
    ! grep -qs "=$port\$" "$D/run/ports" || port=
  done
  port_set "$name" "$port"
}

# Others may have them again. D/run/ports stays: they are what the next "up" tries first.
ports_release() {
  local name port
  [[ -s $D/run/ports ]] || return 0
  ports_lock
  while IFS='=' read -r name port; do
    [[ $(readlink "$PORT_REGISTER/$port") != "$D" ]] || rm -f "$PORT_REGISTER/$port"
  done <"$D/run/ports"
  # And those of folders that are no longer there.
  for port in "$PORT_REGISTER"/*; do
    [[ -e $port/run/ports ]] || rm -f "$port"
  done
  ports_unlock
}
