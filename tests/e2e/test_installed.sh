#!/bin/bash
# The package as an administrator meets it: on a machine with a real systemd and Debian's own RabbitMQ service, installed,
# set up and started by the runbook's lines, while buyers order all the time. Then everything is killed, stopped and
# restarted; the machine too; it is upgraded, restored, removed and purged. At the end the audit must hold.
#
#   test_installed.sh BUILD_DIR SOURCE_DIR      BUILD_DIR: a release, where cpack makes the package
#
# Exit status 77: this machine has no way to boot another (not root, no namespaces); said on the way out.
# What goes on in each step is in DIR/log, which is kept and shown after a failure.
set -euo pipefail

BUILD=$(realpath "$1") SOURCE=$(realpath "$2")
SUPPORT=$SOURCE/tests/support
D=$(mktemp -d "${TMPDIR:-/tmp}/seckill-installed.XXXXXX")
SHARE=$D/box/share LOG=$D/log
WORKERS=(inventory@0 redpacket@0 notification@0)
UNITS=("${WORKERS[@]}" order@1 order@2)
STARTED=$SECONDS

box() { "$SUPPORT/systemd_box.sh" "$@"; }
# As "box run" does it, without a shell for each of a thousand questions.
in_box() { # COMMAND...
  local pid
  { read -r pid <"$D/box/init.pid"; } 2>/dev/null || return 1
  nsenter -t "$pid" --mount --uts --ipc --net --pid --cgroup -- env -i \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root "$@"
}
say() { printf '%3d s  %s\n' $((SECONDS - STARTED)) "$*"; }

finish() {
  local status=$?
  trap - EXIT
  if (( status != 0 && status != 77 )); then
    tail -n 40 "$LOG" || true
    ! [[ -s $D/box/init.pid ]] || in_box journalctl --no-pager -n 400 -u 'seckill-*' | grep -v message_to_buyer | tail -n 80 || true
  fi
  ! [[ -s $D/box/keeper.pid ]] || box down "$D/box" || true
  # A failure leaves its log.
  if (( status == 0 || status == 77 )); then rm -rf "$D"; else printf 'kept: %s\n' "$D"; fi
  exit "$status"
}
trap finish EXIT
mkdir -p "$SHARE"
: >"$LOG"

fail() { say "FAILED: $*"; exit 1; }
expect() { # WHAT COMMAND...: must succeed
  local what=$1
  shift
  printf '+ %s\n' "$*" >>"$LOG"
  "$@" >>"$LOG" 2>&1 || fail "$what"
  say "$what"
}
refuse() { # WHAT COMMAND...: must fail
  local what=$1
  shift
  printf '+ ! %s\n' "$*" >>"$LOG"
  ! "$@" >>"$LOG" 2>&1 || fail "$what"
  say "$what"
}
within() { # SECONDS COMMAND...: succeeds in the end
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >>"$LOG" 2>&1; do
    (( SECONDS < deadline )) || return 1
    sleep 0.2
  done
}

pid_of() { in_box systemctl show -P MainPID "seckill-$1"; } # UNIT
remember_pids() { # UNIT... -> OLD[UNIT]
  local unit
  declare -gA OLD
  for unit in "$@"; do OLD[$unit]=$(pid_of "$unit"); done
}
has_new_pid() { # UNIT
  local pid
  [[ $(in_box systemctl show -P ActiveState "seckill-$1") == active ]] || return 1
  pid=$(pid_of "$1")
  (( pid != 0 && pid != OLD[$1] ))
}
come_back() { # SECONDS UNIT...
  local seconds=$1 unit
  shift
  for unit in "$@"; do within "$seconds" has_new_pid "$unit" || fail "$unit does not come back"; done
}
still_same() { # UNIT...
  local unit
  for unit in "$@"; do [[ $(pid_of "$unit") == "${OLD[$unit]}" ]] || return 1; done
}
is_ready() { in_box curl -fsS http://127.0.0.1:8080/readyz; }
takes_orders() { # all of its front ends, whichever answers
  local i
  for i in 1 2 3 4 5 6; do is_ready | grep -q ready || return 1; done
}

# ---- buyers ----

buyers_start() { # SKU
  rm -f "$SHARE/stop" "$SHARE/buyers.out" "$SHARE/buyers.status"
  # shellcheck disable=SC2016
  in_box bash -c 'python3 /share/steady_buyers.py http://127.0.0.1:8080 "$0" 4 /share/stop >/share/buyers.out 2>&1
    echo $? >/share/buyers.status' "$1" &
}
buyers_end() {
  touch "$SHARE/stop"
  within 100 test -s "$SHARE/buyers.status" || fail "the buyers do not end"
  cat "$SHARE/buyers.out" >>"$LOG"
  [[ $(<"$SHARE/buyers.status") == 0 ]] || { cat "$SHARE/buyers.out"; fail "a buyer was told what is not so"; }
  say "buyers: $(head -n 1 "$SHARE/buyers.out")"
}
audit() { in_box seckillctl audit --wait "${1:-20}"; }

# ---- secrets ----

# Every command line there is, while the set-up runs; a rabbitmqctl lives for more than a second.
watch_command_lines() {
  in_box sh -c 'until [ -e /share/watched ]; do cat /proc/[0-9]*/cmdline 2>/dev/null; sleep 0.2; done' |
    tr '\0' ' ' >"$D/cmdlines"
}

# Where a secret must never be: command lines, environments, logs, core files, what everybody may read.
secrets_are_kept() {
  # shellcheck disable=SC2016
  in_box bash -c '
    set -u
    for file in /etc/seckill/credentials/*; do
      [ "$(stat -c "%a %U" "$file")" = "600 root" ] || { echo "$file: $(stat -c "%a %U" "$file")"; exit 1; }
      head -c 20 "$file"; echo
    done >/run/secrets.txt; chmod 600 /run/secrets.txt
    ! cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\0" "\n" | grep -aF -f /run/secrets.txt || exit 1
    ! journalctl --no-pager -o cat | grep -F -f /run/secrets.txt || exit 1
    ! grep -rlF -f /run/secrets.txt /var/log || exit 1
    # Whatever was written since, but the secrets themselves, as they are kept and as systemd hands them out.
    ! find /etc /root /run /srv /tmp /var -newer /share/first_sale.sh -type f ! -path "/etc/seckill/credentials/*" \
      ! -path "/run/credentials/*" ! -path /run/secrets.txt -exec grep -lF -f /run/secrets.txt {} + 2>/dev/null | grep . || exit 1
    ! find /run/credentials -type f -perm /o=r 2>/dev/null | grep . || exit 1
    ! find /core* /etc /root /run /tmp /var -newer /share/first_sale.sh -type f \( -name core -o -name "core.[0-9]*" \) \
      2>/dev/null | grep . || exit 1
    for unit in inventory@0 redpacket@0 notification@0 order@1; do
      pid=$(systemctl show -P MainPID "seckill-$unit")
      grep -qE "^Max core file size +0 +0 " "/proc/$pid/limits" || exit 1
      grep -qx 00000000 "/proc/$pid/coredump_filter" || exit 1 # a collector that limits do not bind gets no memory
    done'
}

# ---- steps ----

prepare() { # in a subshell
  trap - EXIT
  local why
  if ! why=$(box up "$D/box" rabbitmq-server.service 2>&1); then
    local status=$?
    printf '%s\n' "$why"
    [[ $why != *'systemd_box: '* ]] || exit 77
    exit "$status"
  fi
  say "a machine with systemd and RabbitMQ has booted"
}

package_make() {
  rm -f "$BUILD"/seckill_*.deb
  ( cd "$BUILD" && cpack -G DEB ) >>"$LOG" 2>&1 || fail "cpack"
  cp "$BUILD"/seckill_*.deb "$SHARE/"
  cp "$SUPPORT"/{steady_buyers,broker_rights,freeze_thread}.py "$SHARE/"
  say "package: $(cd "$SHARE" && echo seckill_*.deb)"
}

package_check() {
  expect "lintian finds no error in the package" lintian --fail-on error "$SHARE"/seckill_*.deb
}

# The runbook's lines, as they are.
first_sale() {
  local lines
  sed -n '/<!-- first sale/,/^```$/p' "$SOURCE/deploy/README.md" | sed '/^<!--/d;/^```/d' >"$SHARE/first_sale.sh"
  lines=$(sed -e ':again' -e '/\\$/{N;s/\\\n//;b again' -e '}' "$SHARE/first_sale.sh" | grep -c .)
  (( lines > 0 && lines <= 6 )) || fail "the first sale takes $lines commands, not at most six"
  watch_command_lines &
  local watcher=$!
  in_box bash -c 'cd /share && . ./first_sale.sh' >"$D/first_sale.out" 2>&1 || { cat "$D/first_sale.out"; fail "the first sale"; }
  touch "$SHARE/watched"
  wait "$watcher"
  cat "$D/first_sale.out" >>"$LOG"
  tail -n 1 "$D/first_sale.out" | grep -q '"status":"confirmed"' || { cat "$D/first_sale.out"; fail "the first order is not confirmed"; }
  say "from the package to the first confirmed order: $lines commands"
}

no_secret_on_a_command_line() {
  # shellcheck disable=SC2016
  in_box sh -c 'for f in /etc/seckill/credentials/*; do head -c 20 "$f"; echo; done' >"$D/secrets"
  grep -qs seckill-setup "$D/cmdlines" || fail "the set-up was not seen"
  ! grep -aF -f "$D/secrets" "$D/cmdlines" || fail "a secret was on a command line"
  say "no secret was on a command line during the set-up"
}

# Every figure that the alert rules ask the front end for is there, and every alert is in the runbook.
alerts_are_explained() {
  local word
  in_box curl -fsS http://127.0.0.1:8080/metrics >"$D/metrics"
  for word in $(grep -o 'seckill_order_[a-z_]*' "$SOURCE/deploy/prometheus/seckill.rules.yml" | sort -u); do
    grep -q "^$word" "$D/metrics" || fail "an alert rule needs $word, which the front end does not have"
  done
  for word in $(sed -n 's/.*- alert: //p' "$SOURCE/deploy/prometheus/seckill.rules.yml"); do
    grep -q "^|.*\b$word\b" "$SOURCE/deploy/README.md" || fail "the runbook does not explain $word"
  done
  say "alert rules: figures and explanations are there"
}

sandbox_holds() {
  local unit level seen
  for unit in "${WORKERS[@]}" order@1 backup; do
    level=$(in_box systemd-analyze security --no-pager "seckill-$unit.service" |
      sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
    awk "BEGIN { exit !(${level:-10} <= 1.5) }" || fail "exposure of seckill-$unit is ${level:-unknown}"
  done
  say "systemd-analyze security: at most 1.5 each"
  seen=$(in_box ls "/proc/$(pid_of order@1)/root/var/lib/seckill" | tr '\n' ' ')
  [[ $seen == 'ledger trace ' ]] || fail "a front end sees other files than its ledgers and traces: $seen"
  say "a front end cannot see a database"
}

# What is in the file for it is one for all settings, so another one is left as it is.
broker_has_our_settings() {
  local ask='{application:get_env(ra, wal_write_strategy),
    application:get_env(rabbit, dead_letter_worker_publisher_confirm_timeout)}.'
  # shellcheck disable=SC2016
  expect "the broker writes its log with O_SYNC, and retries dead letters after 10 s" \
    in_box sh -c 'rabbitmqctl --quiet eval "$1" | grep -F "{{ok,o_sync},{ok,10000}}"' sh "$ask"
  expect "its administrator's own advanced.config is left alone" in_box sh -c 'cd /etc/rabbitmq && mv advanced.config ours &&
    echo "[]." >advanced.config && seckill-setup | grep "left /etc/rabbitmq/advanced.config as it is" &&
    grep -Fx "[]." advanced.config && mv ours advanced.config'
}

scale_out() {
  expect "a second front end on the same port" in_box systemctl enable --now seckill-order@2
  expect "it takes orders" within 20 takes_orders
  expect "the set-up may run again" in_box seckill-setup
  expect "an item for the buyers" in_box seckillctl item put stock-1 --unit-price 100 --stock 10000000
  expect "red packets for it" in_box seckillctl campaign put stock-1 --budget 100000 --packets 500 --min-amount 1
}

# The runbook's lines, as they are. A retry with its key stays the same order, and ids from before are still known.
id_key_changes() {
  local before
  keyed_order() {
    in_box curl -fsS -o /dev/null -w '%header{location}' -H 'Idempotency-Key: before' -d user_id=u2 -d sku=stock-1 \
      http://127.0.0.1:8080/v1/orders
  }
  within 20 keyed_order >/dev/null
  before=$(keyed_order)
  sed -n '/<!-- a new key/,/^```$/p' "$SOURCE/deploy/README.md" | sed '/^<!--/d;/^```/d' >"$SHARE/new_key.sh"
  expect "a new key behind the order ids" in_box bash -euc '. /share/new_key.sh'
  expect "orders are taken with it" within 30 takes_orders
  [[ $(keyed_order) == "$before" ]] || fail "a retry became a second order under the new key: $before, $(keyed_order)"
  expect "an order from before is known" in_box curl -fsS -o /dev/null "http://127.0.0.1:8080$before"
}

kill_each() {
  local unit
  remember_pids "${UNITS[@]}"
  for unit in "${UNITS[@]}"; do in_box systemctl kill -s KILL "seckill-$unit"; done
  come_back 20 "${UNITS[@]}"
  expect "kill -9: all five come back" within 30 takes_orders
}

# Each worker as a whole; of one front end the broker's thread, of the other the one that serves HTTP. The kernel gives
# the threads rising numbers, in the order in which the program starts them: main, broker, HTTP.
stop_each() {
  local unit tids
  remember_pids "${UNITS[@]}"
  for unit in "${WORKERS[@]}"; do in_box systemctl kill -s STOP "seckill-$unit"; done
  mapfile -t tids < <(in_box ls "/proc/$(pid_of order@1)/task" | sort -n)
  in_box python3 /share/freeze_thread.py "${tids[1]}" >>"$LOG" 2>&1 &
  mapfile -t tids < <(in_box ls "/proc/$(pid_of order@2)/task" | sort -n)
  in_box python3 /share/freeze_thread.py "${tids[2]}" >>"$LOG" 2>&1 &
  package_check # meanwhile: the watchdog takes half a minute
  come_back 75 "${UNITS[@]}"
  expect "SIGSTOP, or one thread stuck: the watchdog kills, all five come back" within 30 takes_orders
}

# It was killed, and then stopped: the third time it waits for 4 s in all.
back_off_grows() {
  remember_pids redpacket@0
  in_box systemctl kill -s KILL seckill-redpacket@0
  come_back 30 redpacket@0
  expect "the pause before a restart grows" in_box sh -c \
    "journalctl --no-pager -o cat -u seckill-redpacket@0 | grep -q 'failed 3 times in a row: waiting 3 s'"
}

broker_restarts() {
  remember_pids "${UNITS[@]}"
  expect "the broker restarts" in_box systemctl restart rabbitmq-server
  expect "orders are taken again" within 60 takes_orders
  expect "no service was stopped for it" still_same "${UNITS[@]}"
}

reload_keeps_running() {
  remember_pids order@1 inventory@0
  expect "SIGHUP by systemctl reload" in_box systemctl reload seckill-order@1 seckill-inventory@0
  expect "reload restarts nothing" still_same order@1 inventory@0
}

reboot() {
  local old
  old=$(box pid "$D/box")
  in_box systemctl reboot || true
  has_rebooted() { local now; now=$(box pid "$D/box") && [[ $now != "$old" ]]; }
  within 60 has_rebooted || fail "the machine does not come back"
  box wait "$D/box" >>"$LOG" 2>&1 || fail "the machine does not boot"
  expect "after a reboot everything is there again" within 60 takes_orders
}

upgrade() {
  local before unit
  ( cd "$D" && dpkg-deb -R "$SHARE"/seckill_*.deb next && sed -i 's/^Version: .*/Version: 99.0-1/' next/DEBIAN/control &&
    dpkg-deb --root-owner-group -b next "$SHARE/next.deb" ) >>"$LOG" 2>&1
  in_box sh -c 'echo "# changed here" >>/etc/seckill/seckill.conf'
  remember_pids "${UNITS[@]}"
  expect "upgraded" in_box apt-get install -y /share/next.deb
  come_back 5 "${UNITS[@]}"
  expect "what was changed in the settings stays" in_box grep -q 'changed here' /etc/seckill/seckill.conf
  before=0
  for unit in "${UNITS[@]}"; do
    local at
    at=$(in_box systemctl show -P ActiveEnterTimestampMonotonic "seckill-$unit")
    (( at > before )) || fail "$unit was restarted before its turn"
    before=$at
  done
  say "restarted in order: ${UNITS[*]}"
}

backup_and_restore() {
  local backup
  expect "a backup while it sells" in_box systemctl start seckill-backup.service
  buyers_end
  expect "a backup while nothing runs" in_box sh -c \
    'systemctl stop seckill-inventory@0 && seckillctl backup && systemctl start seckill-inventory@0'
  [[ $(in_box sh -c 'ls /var/lib/seckill/backup/inventory.0-*Z.db | wc -l') == 2 ]] || fail "there are not two backups"
  backup=$(in_box sh -c 'ls /var/lib/seckill/backup/inventory.0-*Z.db | tail -n 1')
  refuse "a database in use is not restored" in_box seckillctl restore "$backup"
  refuse "a damaged backup is not restored" in_box sh -c "systemctl stop seckill-inventory@0 &&
    cp $backup /var/lib/seckill/inventory.0-bad.db && chown seckill: /var/lib/seckill/inventory.0-bad.db &&
    dd if=/dev/urandom of=/var/lib/seckill/inventory.0-bad.db bs=4096 seek=3 count=2 conv=notrunc &&
    seckillctl restore /var/lib/seckill/inventory.0-bad.db"
  expect "nothing was decided since: restored without a loss" in_box sh -c "rm /var/lib/seckill/inventory.0-bad.db;
    seckillctl restore $backup | grep 'is known to the restored file' && systemctl start seckill-inventory@0"
  expect "the audit holds on the restored file" audit
  old_backup_is_reported
}

# An order between the backup and the restore: it is named, and its item sells nothing more. Then all is put back.
old_backup_is_reported() {
  local backup order
  backup=$(in_box sh -c 'ls /var/lib/seckill/backup/inventory.0-*Z.db | tail -n 1')
  order=$(in_box curl -fsS -o /dev/null -w '%header{location}' -d user_id=late -d sku=phone-1 http://127.0.0.1:8080/v1/orders)
  expect "an order after the backup" in_box sh -c "curl -fsS 'http://127.0.0.1:8080$order?wait=10' | grep confirmed"
  expect "its red packet's worker has heard of it" audit
  expect "restored: the order is named" in_box sh -c "systemctl stop seckill-inventory@0 &&
    seckillctl restore $backup | grep '^1 orders were confirmed' && grep ${order##*/} /var/lib/seckill/inventory.0.db.unknown.csv"
  expect "its item is paused" in_box sh -c \
    'systemctl start seckill-inventory@0 && seckillctl item show phone-1 --json | grep -E "\"paused\": *true"'
  refuse "the audit says what was lost" audit 1
  expect "the file that was set aside comes back" in_box sh -c "systemctl stop seckill-inventory@0 &&
    for end in '' -wal -shm; do f=\$(ls /var/lib/seckill/inventory.0.db.replaced-*Z\$end 2>/dev/null | tail -n 1);
      [ -z \"\$f\" ] || mv \"\$f\" /var/lib/seckill/inventory.0.db\$end; done; systemctl start seckill-inventory@0"
  expect "and the audit holds" audit
}

lost_database_is_not_made_anew() {
  refuse "a database that was lost is not quietly begun anew" in_box sh -c \
    'systemctl stop seckill-redpacket@0; mv /var/lib/seckill/redpacket.db /var/lib/seckill/gone; seckill-setup --no-conf'
  expect "it comes back" in_box sh -c \
    'mv /var/lib/seckill/gone /var/lib/seckill/redpacket.db && seckill-setup --no-conf && systemctl start seckill-redpacket@0'
}

remove_and_purge() {
  in_box rm -r /etc/systemd/system/seckill-order@.service.d # the administrator's own
  expect "removed" in_box dpkg --remove seckill
  expect "data, keys and settings are kept" in_box sh -c 'ls /var/lib/seckill/inventory.0.db /etc/seckill/credentials/order-id-key /etc/seckill/seckill.conf'
  refuse "no process is left" in_box pgrep -u seckill
  expect "installed again" in_box sh -c \
    'dpkg --install /share/next.deb && systemctl start seckill.target'
  expect "it finds its data" within 20 in_box seckillctl item show stock-1
  expect "purged" in_box dpkg --purge seckill
  refuse "nothing is left" in_box sh -c \
    'find /etc /lib/systemd /run /tmp /usr /var \( -name "*seckill*" -o -user seckill \) -newer /share/first_sale.sh \
      -not -path "/var/log/*" -not -path "/var/lib/rabbitmq/*" | grep . || ls /etc/rabbitmq/advanced.config'
}

prepare &
BOOT=$!
package_make
status=0
wait "$BOOT" || status=$?
(( status == 0 )) || exit "$status"
first_sale
no_secret_on_a_command_line
sandbox_holds
alerts_are_explained
expect "each service's rights at the broker" in_box python3 /share/broker_rights.py /etc/seckill/credentials
broker_has_our_settings
scale_out
id_key_changes
buyers_start stock-1
reload_keeps_running
kill_each
stop_each
back_off_grows
broker_restarts
buyers_end
expect "the audit holds" audit
expect "no secret is anywhere but in its file" secrets_are_kept
reboot
buyers_start stock-1
upgrade
backup_and_restore
lost_database_is_not_made_anew
expect "the audit holds, at the end" audit
remove_and_purge
say "all of it"
