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
(build/sanitize), and for release (build/release); runs, in one ctest, every test on the sanitized build beside the
quickstart and the smoke tests of the release (release.NAME). Ends in ctest's summary; the exit status is 0 only if
everything passed. SECKILL_TEST_JOBS in the environment: how many tests at a time.

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
  build "$REPO/build/sanitize" Debug -DSECKILL_SANITIZE=address,undefined -DSECKILL_FAULTS=ON -DSECKILL_WERROR=ON \
    -DSECKILL_TESTS=ON ||
    die 1 "the build failed; all of the output is in build/sanitize/build.log"
  step_done
  [[ -n $SMOKE ]] || return 0
  step "building for release"
  build "$REPO/build/release" Release -DSECKILL_WERROR=ON -DSECKILL_TESTS=smoke ||
    die 1 "the build failed; all of the output is in build/release/build.log"
  step_done
}

# One list of tests out of both build folders, in build: all of the sanitized, and for the release what a newcomer runs
# first, and its smoke tests. These are long and wait a lot, so they come first.
list_tests() {
  {
    printf 'subdirs(sanitize)\n'
    printf 'add_test(release.quickstart [=[%s]=] --exit)\n' "$REPO/deploy/quickstart.sh"
    printf 'set_tests_properties(release.quickstart PROPERTIES COST 900 LABELS smoke TIMEOUT 300)\n'
    ctest --test-dir "$REPO/build/release" --show-only=json-v1 -L '^(smoke|installed)$' | jq -r '.tests[] |
      "add_test(release.\(.name) \(.command | map("[=[\(.)]=]") | join(" ")))",
      "set_tests_properties(release.\(.name) PROPERTIES COST 1000)",
      (.name as $name | .properties[] | select(.name | IN("LABELS", "SKIP_RETURN_CODE", "TIMEOUT")) |
        "set_tests_properties(release.\($name) PROPERTIES \(.name) \"\([.value] | flatten | join(";"))\")")'
  } >"$REPO/build/CTestTestfile.cmake"
}

# Three at a time keep two cores busy: each waits for something now and then. --timeout holds for tests that set none.
run_ctest() { # BUILD_DIR CTEST_OPTION...
  local dir=$1
  shift
  ctest --test-dir "$dir" --output-on-failure --parallel "${SECKILL_TEST_JOBS:-3}" --timeout 300 --no-tests=error "$@"
}

parse "$@"
SECKILL_WANT_NODE=yes
SECKILL_PACKAGES+=("${SECKILL_TEST_PACKAGES[@]}")
packages_require "$REPO/build/packages.log"
build_both

tests=$REPO/build/sanitize
if [[ -n $SMOKE ]]; then
  list_tests
  tests=$REPO/build
fi
# A stack's processes report to files of their own in some tests; wherever they do not, a finding must be fatal.
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
run_ctest "$tests" "${FILTER[@]}"
