# shellcheck shell=bash
# The one list of Debian packages that building, running and testing need, and the function that installs what is
# missing of them. Sourced by quickstart.sh, tests/run.sh and tests/e2e/reliability.sh; needs lib/common.sh.
#
# A RabbitMQ service that the machine runs is left alone. Where rabbitmq-server is installed from here, its service is
# neither started now nor at the next boot: the stack runs a private node from the same package. So it is with nginx and
# haproxy, which tests run in the foreground.

SECKILL_PACKAGES=(
  # build
  ca-certificates cmake gcc libc6-dev ninja-build pkg-config scdoc
  libconfuse-dev libcurl4-openssl-dev libgnutls28-dev libjansson-dev libjwt-dev libmicrohttpd-dev librabbitmq-dev
  libsodium-dev libsqlite3-dev libssl-dev libsystemd-dev libzstd-dev
  # run
  curl python3 rabbitmq-server
)

# For linting schema/openapi.yaml. Another node than Debian's will do, so it is the programs that count; and they bring a
# hundred packages with them, so only tests/run.sh wants them.
SECKILL_NODE_PACKAGES=(nodejs:node npm:npm)

# What the tests need beside these. Some of it to make the package, and to try it on a machine of its own with a systemd
# (whose installation starts nothing here).
SECKILL_TEST_PACKAGES=(
  haproxy jq libcmocka-dev man-db nginx-light openssl python3-jsonschema python3-pika python3-yaml sqlite3 strace wrk
  dpkg-dev lintian systemd util-linux
)

# Prints what is not installed, one name a line.
packages_missing() {
  local package status
  if [[ -n ${SECKILL_WANT_NODE:-} ]]; then
    for package in "${SECKILL_NODE_PACKAGES[@]}"; do
      command -v "${package#*:}" >/dev/null || printf '%s\n' "${package%:*}"
    done
  fi
  for package in "${SECKILL_PACKAGES[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
    [[ $status == installed ]] || printf '%s\n' "$package"
  done
}

# Installs what is missing; the package manager's output goes to the file LOG. Exits 69 where that cannot be done: as a
# user who may not install (with the line to give to one who may), or when the package manager fails.
# SECKILL_SKIP_PACKAGES=1 leaves everything as it is.
packages_require() { # LOG
  local log=$1 missing
  [[ -z ${SECKILL_SKIP_PACKAGES:-} ]] || return 0
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "$EX_UNAVAILABLE" "this is not a Debian system. Install what these packages hold, then set SECKILL_SKIP_PACKAGES=1:
  ${SECKILL_PACKAGES[*]}"
  fi
  mapfile -t missing < <(packages_missing)
  (( ${#missing[@]} > 0 )) || return 0
  (( EUID == 0 )) || die "$EX_UNAVAILABLE" "some packages are missing. Install them with:
  sudo apt-get install --no-install-recommends ${missing[*]}"

  mkdir -p "${log%/*}"
  step "installing packages (${#missing[@]})"
  if ! ( packages_install "${missing[@]}" ) >"$log" 2>&1; then
    show_tail "$log" 25
    die "$EX_UNAVAILABLE" "the packages could not be installed; all of the output is in $log"
  fi
  step_done
}

# In a subshell of its own, so that its trap is its own.
packages_install() { # PACKAGE...
  local policy=/usr/sbin/policy-rc.d ours='' new_erlang=yes
  export DEBIAN_FRONTEND=noninteractive
  # Two of us at once must not remove each other's policy.
  exec 8>/run/seckill-packages.lock
  flock -w 900 8
  if [[ ! -e $policy ]]; then
    # deb-systemd-invoke and invoke-rc.d ask this program before they start anything. 101: forbidden.
    # shellcheck disable=SC2016
    printf '%s\n' '#!/bin/sh' 'case $1 in rabbitmq-server* | epmd* | nginx* | haproxy*) exit 101 ;; esac' >"$policy"
    chmod 755 "$policy"
    ours=yes
    # shellcheck disable=SC2064 # now, not then
    trap "rm -f '$policy'" EXIT
  fi
  ! dpkg-query -W -f '${db:Status-Status}' erlang-base 2>/dev/null | grep -qx installed || new_erlang=''
  apt_get update
  apt_get install -y --no-install-recommends "$@"
  # Installed for its programs only: a machine that had no broker must not have one after its next boot either.
  # (Where there was a policy, its owner decides about services.)
  [[ -n $ours ]] || return 0
  packages_disable nginx nginx-light "$@"
  packages_disable haproxy haproxy "$@"
  [[ " $* " == *' rabbitmq-server '* ]] || return 0
  update-rc.d rabbitmq-server disable || true
  if [[ -n $new_erlang ]] && command -v systemctl >/dev/null; then
    systemctl disable epmd.service epmd.socket || true
  fi
}

# Where the package was just installed.
packages_disable() { # SERVICE PACKAGE INSTALLED...
  [[ " ${*:3} " != *" $2 "* ]] || update-rc.d "$1" disable || true
}

# Another package manager at work holds the lock for a while: that is waited for. (The time-out option does not cover
# the lock of the package lists, hence the loop.)
apt_get() { # ARGUMENT...
  local output deadline=$((SECONDS + 300))
  output=$(mktemp)
  until apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null 2>&1 8>&- | tee "$output"; do
    if ! grep -q 'Could not get lock' "$output" || (( SECONDS >= deadline )); then
      rm -f "$output"
      return 1
    fi
    sleep 1
  done
  rm -f "$output"
}
