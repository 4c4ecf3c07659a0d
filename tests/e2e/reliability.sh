#!/bin/bash
# What happens when any part fails at the worst moment: every trial, one table, one verdict. See usage() below.
set -euo pipefail

HERE=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/lib/common.sh
. "$HERE/../../deploy/lib/common.sh"
# shellcheck source=deploy/packages.sh
. "$HERE/../../deploy/packages.sh"
REPO=$SECKILL_REPO

usage() {
  cat <<'USAGE'
Usage: tests/e2e/reliability.sh [--short | --whole | --soak SECONDS] [--seed N] [--report] [--build-dir B]

Builds with fault points (build/faults), makes the trials of the crash matrix and of the other tests in tests/e2e, and
adds them up. The exit status is 0 only if nothing was lost, doubled, oversold, undersold or told wrongly, every audit
held and every program passed; of the whole, only if there were 300 faults and a million orders, too.

  --whole           every fault point of every process by every signal, and more (the default; about 40 minutes)
  --short           some of them: what CI runs
  --soak SECONDS    random trials of the crash matrix for so long
  --seed N          the choice of what happens when; otherwise a new one, which is printed
  --report          write tests/RELIABILITY.md from this run
  --build-dir B     another folder than build/faults
USAGE
}

parse() { # ARGUMENT...
  FORM=whole SECONDS_OF_SOAK='' SEED='' REPORT='' BUILD=$REPO/build/faults
  while (( $# > 0 )); do
    case $1 in
      --short | --whole) FORM=${1#--} ;;
      --report) REPORT=yes ;;
      --soak | --seed | --build-dir)
        [[ -n ${2:-} ]] || bad_usage "$1 needs a value"
        option "$1" "$2"
        shift
        ;;
      -h | --help) usage; exit 0 ;;
      *) bad_usage "unknown option $1" ;;
    esac
    shift
  done
  [[ -n $SEED ]] || SEED=$(( ($(date +%s) * 32768 + RANDOM) % 4503599627370496 ))
}

option() { # NAME VALUE
  case $1 in
    --soak) FORM=soak SECONDS_OF_SOAK=$2 ;;
    --seed) SEED=$2 ;;
    --build-dir) BUILD=$(realpath -m -- "$2"); return ;;
  esac
  [[ $2 =~ ^[0-9]+$ ]] || bad_usage "$1 takes a number, not '$2'"
}

bad_usage() {
  warn "$* (see --help)"
  exit "$EX_USAGE"
}

# --- the trials

# Runs one program of the build, its output in OUT/NAME.log. Counts those that fail.
trial_program() { # NAME ARGUMENT...
  local name=$1 program=$BUILD/tests/bin/$1 status=0
  shift
  [[ -x $program ]] || { warn "there is no $program"; FAILED+=("$name"); return; }
  step "$name $*"
  "$program" "$@" >"$OUT/$name.log" 2>&1 || status=$?
  step_done
  (( status == 0 )) && return
  FAILED+=("$name")
  grep -aE 'VIOLATION|ERROR|FAILED|exit status|sanitizer' "$OUT/$name.log" | tail -n 40 | cut -c 1-300 | sed 's/^/    /' >&2 || true
}

run_all() {
  case $FORM in
    soak) trial_program crash_matrix --seconds "$SECONDS_OF_SOAK" --seed "$SEED"; return ;;
    short) trial_program crash_matrix --short --seed "$SEED" ;;
    whole)
      export SECKILL_TRIALS_WHOLE=1
      trial_program crash_matrix --whole --seed "$SEED"
      ;;
  esac
  local source
  for source in "$HERE"/test_*.c; do
    source=${source##*/}
    other_program "${source%.c}"
  done
}

# Each has its short form; SECKILL_TRIALS_WHOLE and, for some, a number of rounds make the whole of it.
other_program() { # NAME
  local rounds=1
  case $FORM,$1 in
    whole,test_connections) rounds=2 ;;
    whole,test_broker_faults) rounds=2 ;;
  esac
  case $1 in
    test_connections) trial_program "$1" "$rounds" "$SEED" ;;
    test_cluster | test_broker_faults) trial_program "$1" "$rounds" ;;
    *) trial_program "$1" ;;
  esac
}

# --- adding up

# Definitions that every question to jq begins with.
JQ='
def sum(f): map(f) | add // 0;
def broken: .lost + .doubled + .oversold + .undersold + .told_wrongly + (if .audit_failed then 1 else 0 end);
def heals: map(.heal_ms | select(. >= 0)) | sort;
def median: if length == 0 then null else .[length / 2 | floor] end;
def seconds: if . == null then "–" else (. / 100 | round / 10 | tostring) end;
def comma: tostring | [while(length > 0; .[:-3]) | .[-3:]] | reverse | join(" ");
def hows: group_by(.how) | map((if .[0].how == "" then "" else .[0].how + " " end) + (length | tostring)) | join(", ");
def counts: {trials: length, offered: sum(.offered), accepted: sum(.accepted), refused: sum(.refused),
  unknown: sum(.unknown), lost: sum(.lost), doubled: sum(.doubled), oversold: sum(.oversold),
  undersold: sum(.undersold), told_wrongly: sum(.told_wrongly), audits: (map(select(.audit_failed)) | length),
  median: (heals | median), max: (heals | last)};
def cells: [(.offered, .accepted, .refused, .unknown | comma), .lost, .doubled, .oversold, .undersold,
  .told_wrongly, .audits, (.median, .max | seconds)] | map(tostring);
'

ask() { # JQ_OPTION... FILTER
  local filter=${*: -1}
  jq -rs "${@:1:$#-1}" "$JQ $filter" "$OUT/trials.ndjson"
}

summary() {
  ask 'def row: @tsv;
    (["AREA", "PROCESS", "TRIALS", "OFFERED", "ACCEPTED", "REFUSED", "UNKNOWN", "LOST", "DOUBLED", "OVERSOLD",
      "UNDERSOLD", "TOLD WRONGLY", "AUDITS FAILED", "HEAL MEDIAN", "MAX"] | row),
    (group_by([.area, .process])[] | [.[0].area, .[0].process, (length | tostring)] + (counts | cells) | row),
    (["all", "", (length | tostring)] + (counts | cells) | row)' | column -t -s $'\t'
  ask 'map(select(broken > 0))[] | "BROKEN: \(.area) \(.process) \(.fault) \(.how) seed \(.seed) \(.remark)"'
}

# Nothing broken, every program passed, and of the whole as much as was promised.
verdict() {
  local broken trials offered
  read -r broken trials offered < <(ask '"\(map(broken) | add // 0) \(length) \(sum(.offered))"')
  say ''
  (( ${#FAILED[@]} == 0 )) || say "failed: ${FAILED[*]}; the logs are in $OUT"
  (( broken == 0 )) || say "promises broken: $broken"
  if [[ $FORM == whole ]] && (( trials < 300 || offered < 1000000 )); then
    say "too little for the whole: $trials trials, $offered orders"
    return 1
  fi
  (( ${#FAILED[@]} == 0 && broken == 0 && trials > 0 )) || return 1
  say "reliability: every promise held in $trials trials with $offered orders"
}

# --- the report

machine() {
  local model memory
  model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
  memory=$(( $(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1048576 ))
  printf '%s cores (%s), %s GiB of memory, Linux %s, %s' "$(nproc)" "${model:-unknown}" "$memory" \
    "$(uname -r | sed 's/[^0-9.].*//')" "$(. /etc/os-release && printf '%s' "$PRETTY_NAME")"
}

versions() {
  printf 'RabbitMQ %s, SQLite %s, libmicrohttpd %s, rabbitmq-c %s' \
    "$(dpkg-query -W -f '${Version}' rabbitmq-server 2>/dev/null | sed 's/-.*//')" \
    "$(pkg-config --modversion sqlite3)" "$(pkg-config --modversion libmicrohttpd)" \
    "$(pkg-config --modversion librabbitmq)"
}

report() {
  local minutes=$(( (SECONDS - STARTED + 59) / 60 ))
  cat <<MD
# Reliability

What a run of \`tests/e2e/reliability.sh --$FORM --report\` found. Written by that command; what it means, and the section
on what is not protected against, is in \`tests/e2e/reliability_*.md\`.

| | |
|---|---|
| date | $(date -u +%F) |
| machine | $(machine); everything runs on it, the clients and the broker too |
| versions | $(versions) |
| build | RelWithDebInfo with fault points |
| seed | $SEED |
| took | $minutes minutes |

MD
  cat "$HERE/reliability_method.md"
  printf '\n## Totals\n\n'
  ask '"| | | | |\n|---|---:|---|---:|",
    (counts | "| trials (each one fault, or one series of them) | \(.trials | comma) | **lost** | **\(.lost)** |",
      "| orders offered | \(.offered | comma) | **doubled** | **\(.doubled)** |",
      "| accepted (202) | \(.accepted | comma) | **oversold** | **\(.oversold)** |",
      "| refused (4xx, 503) | \(.refused | comma) | **undersold by a duplicate** | **\(.undersold)** |",
      "| unknown (504, no answer) | \(.unknown | comma) | **told wrongly** | **\(.told_wrongly)** |",
      "| | | **audits failed** | **\(.audits)** |")'
  (( ${#FAILED[@]} == 0 )) || printf '\nPrograms that did not pass: %s.\n' "${FAILED[*]}"
  printf '\n## By area and process\n\n%s\n' \
    'Healing is the time from the fault to the first order that went the whole way again, in seconds, with the starting
of what had ended and the three seconds of every stop in it.'
  table '[.area, .process, .how]' 'area | process | how' '[.[0].area, .[0].process, .[0].how]'
  printf '\n## By fault\n'
  local area
  while read -r area; do
    printf '\n### %s\n' "$area"
    table '[.process, .fault]' 'process | fault | how often' '[.[0].process, .[0].fault, hows]' "$area"
  done < <(ask '[.[].area] | unique[]')
  printf '\n'
  cat "$HERE/reliability_limits.md"
}

table() { # GROUPED_BY HEADINGS CELLS [AREA]
  printf '\n| %s | trials | offered | accepted | refused | unknown | lost | doubled | oversold | undersold | told wrongly | audits failed | heal median s | max s |\n' "$2"
  printf '|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n'
  ask --arg area "${4:-}" "map(select(\$area == \"\" or .area == \$area)) | group_by($1)[] |
    ($3 + [(length | tostring)] + (counts | cells)) | \"| \" + join(\" | \") + \" |\""
}

parse "$@"
SECKILL_PACKAGES+=("${SECKILL_TEST_PACKAGES[@]}")
packages_require "$REPO/build/packages.log"
step "building with fault points"
build "$BUILD" RelWithDebInfo -DSECKILL_FAULTS=ON -DSECKILL_TESTS=ON ||
  die 1 "the build failed; all of the output is in $BUILD/build.log"
step_done

STARTED=$SECONDS
OUT=$(mktemp -d "${TMPDIR:-/tmp}/seckill-reliability-XXXXXX")
export SECKILL_TRIALS=$OUT/trials.ndjson
touch "$SECKILL_TRIALS"
FAILED=()
say "seed $SEED"
run_all
say ''
summary
status=0
verdict || status=1
if [[ -n $REPORT ]]; then
  report >"$REPO/tests/RELIABILITY.md"
  say "written: tests/RELIABILITY.md"
fi
(( status != 0 )) || rm -rf -- "$OUT"
exit "$status"
