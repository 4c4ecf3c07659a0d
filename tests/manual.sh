#!/bin/bash
# The manual pages: groff has no warning about any, they show every setting and every command, and each program has
# one. Arguments: the folder of the built pages, that of the programs.
set -euo pipefail
pages=$1 bin=$2
status=0

complain() { echo "manual pages: $*" >&2; status=1; }

render() { # PAGE
  LC_ALL=C.UTF-8 MANWIDTH=200 MAN_KEEP_FORMATTING='' man --warnings -E UTF-8 -l "$1"
}

for page in "$pages"/*.[1-8]; do
  warnings=$(render "$page" 2>&1 >/dev/null)
  [[ -z $warnings ]] || complain "${page##*/}: $warnings"
  ! grep -q '@run' "$page" || complain "${page##*/}: a @run line was not replaced"
done

for program in "$bin"/seckill*; do
  page=$(compgen -G "$pages/${program##*/}.[18]") || { complain "there is no page for ${program##*/}"; continue; }
  shown=$(render "$page")
  while read -r option; do
    grep -q -- "^ *$option\\b" <<<"$shown" || complain "${page##*/}: no $option"
  done < <("$program" --help | grep -oE '^  --[a-z-]+')
done

conf=$(render "$pages/seckill.conf.5")
while read -r key; do
  grep -qF "${key} = " <<<"$conf" || complain "seckill.conf.5: no $key"
done < <("$bin/seckillctl" --config /dev/null settings | grep -oE '^\| `[a-z_.]+' | cut -c4-)

ctl=$(render "$pages/seckillctl.8")
while read -r noun verb; do
  grep -qE "^ *$noun${verb:+ $verb}( |\$)" <<<"$ctl" || complain "seckillctl.8: no $noun $verb"
  while read -r option; do
    grep -q -- "^ *$option\\b" <<<"$ctl" || complain "seckillctl.8: no $option"
  done < <("$bin/seckillctl" "$noun" ${verb:+"$verb"} --help | grep -oE '^  --[a-z-]+')
done < <("$bin/seckillctl" --help | sed -n '/^Commands:/,/^$/p' | grep -oE '^  [a-z]+( [a-z]+)?')

exit "$status"
