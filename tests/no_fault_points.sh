#!/bin/bash
# What is shipped holds no fault point: no_fault_points.sh ROOT PROGRAM... looks into programs that were built without
# SECKILL_FAULTS for the section, the functions and the names that the sources under ROOT give their points.
set -euo pipefail
root=$1
shift

mapfile -t names < <(grep -rhoE 'FAULT_POINT\("[^"]+"\)' "$root/common" "$root/services" | cut -d '"' -f 2 | sort -u)
(( ${#names[@]} >= 20 && $# > 0 )) || {
  echo "only ${#names[@]} points in the sources, $# programs: nothing is shown by this" >&2
  exit 64
}

faults=0
complain() {
  echo "$1"
  faults=$((faults + 1))
}

for program in "$@"; do
  sections=$(readelf -SW "$program")
  symbols=$(readelf -sW "$program")
  [[ $sections == *.text* ]] || complain "$program: is no program"
  [[ $sections != *seckill_faults* ]] || complain "$program: has a section seckill_faults"
  ! grep -E ' (fault_reached|fault_point_here[.0-9]*)$' <<<"$symbols" || complain "$program: has the functions above"
  ! grep -aoFf <(printf '%s\n' "${names[@]}" 'fault_point' 'SECKILL_FAULT') "$program" | sort -u ||
    complain "$program: has the names above"
  version=$("$program" --version)
  [[ $version != *fault* ]] || complain "$program: says '$version'"
done
(( faults == 0 ))
