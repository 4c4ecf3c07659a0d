# shellcheck shell=bash
# The processes of a stack. Each runs in a session of its own and is known by (process id, start time), so that a
# recycled id is never mistaken for it: D/run/UNIT.pid. A unit is a service or a further instance of one ("order@2").
#
# Everything started here also carries SECKILL_STACK=D and SECKILL_UNIT=UNIT in its environment, and so do the helpers
# that it starts in turn (the Erlang node has several): that is how "down" finds what outlived its parent.
#
# Needs lib/common.sh, and D, the stack's folder.

# REPLY = the start time of a living process. A zombie is not alive: nobody may be there to reap it.
process_start_time() { # PID
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  # Fields from the third on; the second, the name, may hold spaces and parentheses.
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  [[ $1 != [ZX] ]] || return 1
  REPLY=${20}
}

process_alive() { # PID START
  local REPLY
  process_start_time "$1" && [[ $REPLY == "$2" ]]
}

process_gone() { ! process_alive "$@"; }

# Whoever looks at these ids afterwards should not find zombies: waits a moment for their parent, or the init process,
# to take notice, if there is one here that does.
wait_reaped() { # PID...
  none_left() {
    local pid
    for pid in "$@"; do [[ ! -e /proc/$pid ]] || return 1; done
  }
  wait_until 2 none_left "$@" || true
}

process_signal() { # SIGNAL PID START
  ! process_alive "$2" "$3" || kill -s "$1" -- "$2" 2>/dev/null || true
}

# UNIT_PID and UNIT_START of a unit that was started here, alive or not.
unit_read() { # UNIT
  UNIT_PID='' UNIT_START=''
  { read -r UNIT_PID UNIT_START <"$D/run/$1.pid"; } 2>/dev/null
}

unit_alive() { # UNIT
  unit_read "$1" && process_alive "$UNIT_PID" "$UNIT_START"
}

# Starts a unit and returns at once. It holds none of our files open: a caller that reads our output to its end, or
# waits for our lock, does not wait for the service.
unit_launch() { # UNIT COMMAND...
  local unit=$1 pid REPLY
  shift
  (
    close_inherited_files
    cd -- "$D"
    # As many connections as the system lets us have; Erlang sizes tables by this, so not without limit.
    { ulimit -Sn 65536 && ulimit -Hn 65536; } 2>/dev/null || ulimit -Sn hard
    # --default-signal: a background command of a shell without job control would ignore SIGINT.
    exec setsid env --default-signal SECKILL_STACK="$D" SECKILL_UNIT="$unit" "$@"
  ) </dev/null >>"$D/log/$unit.log" 2>&1 &
  pid=$!
  REPLY=0
  process_start_time "$pid" || true
  printf '%s %s\n' "$pid" "$REPLY" >"$D/run/$unit.pid"
}

close_inherited_files() {
  local fd
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    (( fd <= 2 )) || eval "exec $fd>&-"
  done
}

# The exit status of a unit that this very shell started and that has ended; 1 for what it cannot know.
unit_exit_status() { # UNIT
  local status=0
  unit_read "$1" || return 1
  wait "$UNIT_PID" 2>/dev/null || status=$?
  (( status > 0 && status < 126 )) || status=1
  return "$status"
}

# Sends a signal and waits for the end. Fails if the unit is still there after that time.
unit_end() { # UNIT SIGNAL SECONDS
  unit_alive "$1" || return 0
  local pid=$UNIT_PID start=$UNIT_START
  process_signal "$2" "$pid" "$start"
  wait_until "$3" process_gone "$pid" "$start"
}

# The ids of all living processes that carry this stack's mark (and this unit's, if one is named).
marked_processes() { # [UNIT]
  local environ pid REPLY
  # -s: other users' processes cannot be looked at, and some end while we look.
  while read -r environ; do
    pid=${environ#/proc/} pid=${pid%/environ}
    [[ $pid != "$$" && $pid != "$BASHPID" ]] || continue
    [[ -z ${1:-} ]] || grep -szqxF -e "SECKILL_UNIT=$1" "$environ" || continue
    ! process_start_time "$pid" || printf '%s %s\n' "$pid" "$REPLY"
  done < <(grep -lszxF -e "SECKILL_STACK=$D" /proc/[0-9]*/environ || true)
}

no_marked_processes() { [[ -z $(marked_processes "$@") ]]; }

# Ends whatever is left of a unit, or of the whole stack: helpers whose parent is gone end by themselves, as a rule.
sweep() { # [UNIT]
  local pid start
  wait_until 2 no_marked_processes "$@" && return
  while read -r pid start; do
    process_signal KILL "$pid" "$start"
  done < <(marked_processes "$@")
  wait_until 5 no_marked_processes "$@"
}
