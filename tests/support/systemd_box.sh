#!/bin/bash
# A throw-away machine out of this one: its own systemd as process 1, on a copy-on-write layer over this machine's files,
# with a loopback network of its own. For trying packages and units as an administrator would. Needs root.
#
#   systemd_box.sh up DIR [UNIT...]   boots it; UNITs are enabled, beside a minimal system. Exit 77: not possible here
#   systemd_box.sh run DIR COMMAND…   runs a command in it
#   systemd_box.sh pid DIR            its process 1, seen from here; changes when the box boots again
#   systemd_box.sh wait DIR           until it has booted
#   systemd_box.sh down DIR           powers it off; everything that was written in it is gone
#
# DIR/share is /share in it, and the one place that both see. "systemctl reboot" in it boots it again, on the same layer,
# as long as somebody does not take it down. DIR/console has what was printed.
#
# A keeper process holds the layer (a tmpfs in a mount namespace of its own) and starts process 1, again and again.
set -euo pipefail

PROGRAM=$(readlink -f "${BASH_SOURCE[0]}")
LAYER_SIZE=6g # of memory, at most; what is used counts
BOOT_S=60
ENVIRONMENT=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root)

give_up() { printf 'systemd_box: %s\n' "$2" >&2; exit "$1"; } # EXIT MESSAGE
init_pid() { cat "$D/init.pid" 2>/dev/null; }
cgroup() { printf '%s/seckill-box-%s' "$(findmnt -fno TARGET -t cgroup2)" "$(printf '%s' "$D" | cksum | cut -d' ' -f1)"; }

# ---- outside ----

# Says why a box cannot be had, if so.
check_host() {
  (( EUID == 0 )) || give_up 77 'only root can make namespaces with a systemd in them'
  [[ -x /lib/systemd/systemd ]] || give_up 77 'systemd is not installed'
  findmnt -fno TARGET -t cgroup2 >/dev/null || give_up 77 'no cgroup2 hierarchy is mounted'
  mkdir "$(cgroup)" 2>/dev/null || [[ -d $(cgroup) ]] || give_up 77 'control groups may not be made here'
  unshare --mount --pid --fork --uts --ipc --net --cgroup true 2>/dev/null ||
    give_up 77 'namespaces may not be made here'
  # shellcheck disable=SC2016
  unshare --mount --propagation private bash -c '
    mount -t tmpfs box "$0" && mkdir "$0"/{upper,work,root} &&
    mount -t overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" box "$0/root"' "$D/layer" 2>/dev/null ||
    give_up 77 'an overlay of / may not be mounted here'
}

up() { # UNIT...
  mkdir -p "$D/share" "$D/layer"
  check_host
  printf '%s\n' "$@" >"$D/units"
  setsid unshare --mount --propagation private bash "$PROGRAM" keep "$D" </dev/null >"$D/console" 2>&1 &
  echo $! >"$D/keeper.pid"
  wait_booted
}

wait_booted() {
  local state deadline=$((SECONDS + BOOT_S))
  while (( SECONDS < deadline )); do
    kill -0 "$(cat "$D/keeper.pid")" 2>/dev/null || { cat "$D/console"; give_up 1 'the box has ended'; }
    state=$(run systemctl is-system-running 2>/dev/null) || true
    case $state in running | degraded) return 0 ;; esac
    sleep 0.1
  done
  tail -n 30 "$D/console"
  give_up 1 "the box has not booted within $BOOT_S s (${state:-no answer})"
}

run() { # COMMAND...
  local pid
  pid=$(init_pid) || return 1
  exec nsenter -t "$pid" --mount --uts --ipc --net --pid --cgroup -- env -i "${ENVIRONMENT[@]}" "$@"
}

down() {
  local pid keeper deadline=$((SECONDS + 20))
  keeper=$(cat "$D/keeper.pid")
  touch "$D/off"
  # RTMIN+4: poweroff.target
  ! pid=$(init_pid) || kill -s RTMIN+4 "$pid" 2>/dev/null || true
  while kill -0 "$keeper" 2>/dev/null && (( SECONDS < deadline )); do sleep 0.1; done
  if kill -0 "$keeper" 2>/dev/null; then
    kill -9 "$(init_pid)" 2>/dev/null || true
    while kill -0 "$keeper" 2>/dev/null; do sleep 0.1; done
  fi
  find "$(cgroup)" -depth -type d -exec rmdir {} + 2>/dev/null || true
}

# ---- the keeper ----

keep() {
  local machine status
  mount -t tmpfs -o "size=$LAYER_SIZE,mode=755" box "$D/layer"
  mkdir "$D/layer"/{upper,work,root}
  while true; do
    ( echo $BASHPID >"$(cgroup)/cgroup.procs"
      exec unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --net --cgroup \
        bash "$PROGRAM" boot "$D" ) &
    machine=$!
    publish_init "$machine" &
    status=0
    wait "$machine" || status=$?
    rm -f "$D/init.pid"
    # A process 1 that asked for a reboot is ended by SIGHUP, one that asked for power off by SIGINT.
    if (( status != 129 )) || [[ -e $D/off ]]; then break; fi
  done
}

# Its process 1 counts once it is systemd.
publish_init() { # PID of unshare
  local child
  while kill -0 "$1" 2>/dev/null; do
    read -r child _ <"/proc/$1/task/$1/children" 2>/dev/null || true
    if [[ -n ${child:-} && $(cat "/proc/$child/comm" 2>/dev/null) == systemd ]]; then
      printf '%s\n' "$child" >"$D/init.pid.new"
      mv "$D/init.pid.new" "$D/init.pid"
      return 0
    fi
    sleep 0.05
  done
}

# ---- inside, before systemd ----

# Once: none of the host's own services, nothing of what it may have had of ours.
furnish() {
  local unit
  rm -rf etc/systemd/system etc/rc?.d var/lib/rabbitmq/mnesia var/lib/seckill etc/seckill
  rm -f etc/rabbitmq/enabled_plugins etc/rabbitmq/{conf.d/50-seckill.conf,advanced.config} usr/sbin/policy-rc.d
  mkdir -p etc/systemd/system/multi-user.target.wants share
  for unit in systemd-{logind,udevd,udev-trigger,remount-fs}.service modprobe@.service getty.target \
    systemd-journald-audit.socket dev-hugepages.mount sys-fs-fuse-connections.mount; do
    ln -s /dev/null "etc/systemd/system/$unit"
  done
  while read -r unit; do
    [[ -z $unit ]] || ln -s "/lib/systemd/system/$unit" "etc/systemd/system/multi-user.target.wants/$unit"
  done <"$D/units"
  printf 'box\n' >etc/hostname
  rm -f etc/hosts etc/resolv.conf
  printf '127.0.0.1 localhost box\n::1 localhost\n' >etc/hosts
  # Each package that comes or goes would have every manual of this machine indexed again.
  rm -f var/lib/man-db/auto-update
  # The journal is to outlive a reboot.
  mkdir -p var/log/journal
}

mount_devices() {
  local name minor major
  mount -t tmpfs -o mode=755,nosuid tmpfs dev
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  while read -r name major minor; do mknod -m 666 "dev/$name" c "$major" "$minor"; done <<'DEVICES'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
DEVICES
  ln -s /proc/self/fd dev/fd
  ln -s fd/0 dev/stdin
  ln -s fd/1 dev/stdout
  ln -s fd/2 dev/stderr
}

mount_kernel() {
  local path
  mount -t proc -o nosuid,nodev,noexec proc proc
  for path in proc/sys proc/sysrq-trigger; do
    [[ -e $path ]] || continue
    mount --bind "$path" "$path"
    mount -o remount,bind,ro "$path"
  done
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
}

boot() {
  local layer=$D/layer
  mount -t overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" box "$layer/root"
  cd "$layer/root"
  [[ -e $layer/furnished ]] || furnish
  touch "$layer/furnished"
  mount --bind "$D/share" share
  mount_kernel
  mount_devices
  mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
  hostname box
  pivot_root . .
  umount -l .
  mount --make-rshared / # else LoadCredential= gives nothing, and says nothing
  # What would change the host as well: its modules, clock, kernel log.
  exec setpriv --bounding-set -sys_module,-sys_rawio,-sys_time,-syslog,-audit_control,-mac_admin,-mac_override \
    env -i "${ENVIRONMENT[@]}" container=box \
    /lib/systemd/systemd --unit=multi-user.target
}

(( $# >= 2 )) || give_up 64 'usage: systemd_box.sh up|run|pid|wait|down DIR …'
VERB=$1
D=$(realpath -m "$2")
shift 2
case $VERB in
up) up "$@" ;;
run) run "$@" ;;
pid) init_pid ;;
wait) wait_booted ;;
down) down ;;
keep) keep ;;
boot) boot ;;
*) give_up 64 "unknown word \"$VERB\"" ;;
esac
