# shellcheck shell=bash
# What the scripts share: messages, exit codes, waiting for a condition, building. Sourced, under set -euo pipefail.

# sysexits
# shellcheck disable=SC2034 # some are for those who source this
EX_USAGE=64 EX_UNAVAILABLE=69 EX_TEMPFAIL=75 EX_CONFIG=78

SECKILL_REPO=$(cd -P -- "${BASH_SOURCE[0]%/*}/../.." && pwd)

say() { printf '%s\n' "$*"; }
warn() { # MESSAGE...
  step_broken_off
  printf '%s: %s\n' "${0##*/}" "$*" >&2
}
die() { # CODE MESSAGE...
  local code=$1
  shift
  warn "$*"
  exit "$code"
}

# Progress of something that takes a while: "step" begins a line, on which a terminal shows the seconds go by, and
# "step_done" completes it.
STEP_TEXT='' STEP_CLOCK=''
step() { # TEXT...
  STEP_TEXT="  $* …" STEP_STARTED=$EPOCHREALTIME
  printf '%s' "$STEP_TEXT"
  [[ -t 1 ]] || return 0
  (
    trap - EXIT INT TERM
    while sleep 1 && kill -0 $$ 2>/dev/null; do
      printf '\r%s %s ' "$STEP_TEXT" "$(seconds_since "$STEP_STARTED")"
    done
  ) &
  STEP_CLOCK=$!
}

step_done() {
  step_stop
  [[ ! -t 1 ]] || printf '\r%s' "$STEP_TEXT"
  printf ' %s\n' "$(seconds_since "$STEP_STARTED")"
  STEP_TEXT=
}

step_stop() {
  [[ -n $STEP_CLOCK ]] || return 0
  kill "$STEP_CLOCK" 2>/dev/null || true
  wait "$STEP_CLOCK" 2>/dev/null || true
  STEP_CLOCK=
}

# Ends the line of a step that does not come to its end; what went wrong follows.
step_broken_off() {
  [[ -n $STEP_TEXT ]] || return 0
  step_stop
  STEP_TEXT=
  printf '\n'
}

seconds_since() { # EPOCHREALTIME
  local us=$(( ${EPOCHREALTIME/[.,]/} - ${1/[.,]/} ))
  printf '%d.%d s' $(( us / 1000000 )) $(( us % 1000000 / 100000 ))
}

show_tail() { # FILE LINES
  [[ -s $1 ]] || return 0
  step_broken_off
  printf '\n--- the end of %s\n' "$1" >&2
  tail -n "$2" -- "$1" | cut -c 1-300 | sed 's/^/    /' >&2
}

# Reads from a pipe into which nobody writes. A process for each look at something would take more of a small machine
# than what is waited for.
PAUSE_FD=
pause() { # SECONDS
  local REPLY # read's, not our caller's
  [[ -n $PAUSE_FD ]] || exec {PAUSE_FD}<> <(:)
  read -r -t "$1" -u "$PAUSE_FD" || true
}

# Polls until the command succeeds; fails when the time is over.
wait_until() { # SECONDS COMMAND...
  local end=$(( ${EPOCHREALTIME/[.,]/} + $1 * 1000000 ))
  shift
  until "$@"; do
    (( ${EPOCHREALTIME/[.,]/} < end )) || return 1
    pause 0.05
  done
}

# Proxies that the environment names are not for the loopback.
# On the loopback: a test's certificate is as good as any there.
local_curl() { curl --noproxy '*' --insecure --silent --show-error --max-time 3 "$@"; }

built() { # BUILD_DIR
  [[ -x $1/bin/seckill-order && -x $1/bin/seckill-inventory && -x $1/bin/seckillctl ]]
}

# Configures and builds; the output goes to BUILD_DIR/build.log. Several may ask for the same folder at the same time.
# TYPE is for a new folder, as is that no tests are built, which takes longer than the rest: one that has been configured
# keeps what was chosen for it.
build() { # BUILD_DIR TYPE [CMAKE_OPTION...]
  local dir=$1 first=(-G Ninja -DCMAKE_BUILD_TYPE="$2" -DSECKILL_TESTS=OFF)
  shift 2
  mkdir -p "$dir"
  [[ ! -e $dir/CMakeCache.txt ]] || first=()
  (
    exec 8>"$dir/.build.lock"
    flock 8
    {
      cmake -S "$SECKILL_REPO" -B "$dir" "${first[@]}" "$@" && cmake --build "$dir"
    } >"$dir/build.log" 2>&1 8>&-
  ) && return
  show_tail "$dir/build.log" 40
  return 1
}
