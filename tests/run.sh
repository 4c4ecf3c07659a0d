#!/bin/bash
# Builds and runs every test. See usage() below.
set -euo pipefail

REPO=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/lib/common.sh
. "$REPO/deploy/lib/common.sh"
# shellcheck source=deploy/packages.sh
. "$REPO/deploy/packages.sh"

usage() {
  cat <<'USAGE'
Usage: tests/run.sh [--unit] [-R REGEX] [CTEST_OPTION]...

Installs what is missing; builds with the address and undefined-behaviour sanitizers and with fault points
(build/sanitize), and for release (build/release); runs the quickstart and the smoke tests on the release, and every
test on the sanitized build. Ends in ctest's summary; the exit status is 0 only if everything passed.

  --unit      the unit tests only
  -R REGEX    the tests whose name matches only
USAGE
}

parse() { # ARGUMENT...
  FILTER=() SMOKE=yes
  while (( $# > 0 )); do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --unit) FILTER+=(-L '^unit$'); SMOKE='' ;;
      -R)
        [[ -n ${2:-} ]] || { warn "-R needs a regular expression"; exit "$EX_USAGE"; }
        FILTER+=(-R "$2"); SMOKE=''
        shift
        ;;
      *) FILTER+=("$1") ;; # ctest's own
    esac
    shift
  done
}

build_both() {
  step "building with sanitizers"
  build "$REPO/build/sanitize" Debug -DSECKILL_SANITIZE=address,undefined -DSECKILL_FAULTS=ON -DSECKILL_WERROR=ON ||
    die 1 "the build failed; all of the output is in build/sanitize/build.log"
  step_done
  [[ -n $SMOKE ]] || return 0
  step "building for release"
  build "$REPO/build/release" Release -DSECKILL_WERROR=ON ||
    die 1 "the build failed; all of the output is in build/release/build.log"
  step_done
}

# --timeout holds for tests that set none.
run_ctest() { # BUILD_DIR CTEST_OPTION...
  local dir=$1
  shift
  ctest --test-dir "$dir" --output-on-failure --parallel "${SECKILL_TEST_JOBS:-2}" --timeout 300 --no-tests=error "$@"
}

# The release: what a newcomer runs first, and the tests that are quick on a whole stack.
smoke() {
  local failed=0
  "$REPO/deploy/quickstart.sh" --exit || failed=1
  say ''
  if [[ $(ctest --test-dir "$REPO/build/release" -N -L '^(smoke|installed)$' | grep -cE '^ +Test +#') != 0 ]]; then
    run_ctest "$REPO/build/release" -L '^(smoke|installed)$' || failed=1
  fi
  return "$failed"
}

parse "$@"
SECKILL_WANT_NODE=yes
SECKILL_PACKAGES+=("${SECKILL_TEST_PACKAGES[@]}")
packages_require "$REPO/build/packages.log"
build_both

status=0
if [[ -n $SMOKE ]]; then
  smoke || status=1
  smoke_status=$status
fi
# A stack's processes report to files of their own in some tests; wherever they do not, a finding must be fatal.
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
run_ctest "$REPO/build/sanitize" "${FILTER[@]}" || status=1
(( ${smoke_status:-0} == 0 )) || warn "and the release failed its smoke test, see above"
exit "$status"
