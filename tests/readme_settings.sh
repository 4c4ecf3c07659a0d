#!/bin/bash
# The README's table of settings is what `seckillctl settings` prints. Arguments: README, seckillctl.
set -euo pipefail
diff -u <(sed -n '/^<!-- settings:/,/^<!-- end of settings -->/p' "$1" | sed '1d;$d') <("$2" settings) || {
  echo "README.md: the table of settings is not what 'seckillctl settings' prints" >&2
  exit 1
}
