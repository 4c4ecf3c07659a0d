#!/bin/bash
# bash completion for seckillctl: what is offered for a line, the last word of which is being written. Argument: the
# script.
set -euo pipefail
# shellcheck source=/dev/null
. "$1"
status=0

expect() { # LINE WORDS... (all that is offered)
  local line=$1
  shift
  read -ra COMP_WORDS <<<"$line"
  [[ $line != *' ' ]] || COMP_WORDS+=('')
  COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
  _seckillctl || : # its status says nothing
  [[ "${COMPREPLY[*]}" == "$*" ]] || { echo "'$line': offered '${COMPREPLY[*]}', not '$*'" >&2; status=1; }
}

expect 'seckillctl it' item
expect 'seckillctl --config /x it' item
expect 'seckillctl order ' show export
expect 'seckillctl order ex' export
expect 'seckillctl order export --fo' --format
expect 'seckillctl order export --format ' csv ndjson
expect 'seckillctl order export --status c' confirmed
expect 'seckillctl order --format csv ex' export
expect 'seckillctl item put phone --li' --limit-per-user
expect 'seckillctl item put phone --paused t' true
expect 'seckillctl item show phone --stock'
expect 'seckillctl --set store.' store.dir=
expect 'seckillctl audit --w' --wait
expect 'seckillctl nothing '
expect "seckillctl order export --output ${BASH_SOURCE[0]}" "${BASH_SOURCE[0]}"
exit "$status"
