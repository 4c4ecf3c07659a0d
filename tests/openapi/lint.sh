#!/bin/bash
# Lints schema/openapi.yaml with Spectral, in the version that package-lock.json pins. Arguments: the repository, a
# folder in the build for the linter, which is installed there once.
set -euo pipefail
repo=$1 place=$2
here=$repo/tests/openapi

for command in node npm; do
  command -v "$command" >/dev/null || { echo "$command is missing: install Debian's package of this name" >&2; exit 1; }
done

mkdir -p "$place"
if ! cmp -s "$here/package-lock.json" "$place/package-lock.json" || [[ ! -e $place/installed ]]; then
  rm -rf "$place/installed" "$place/node_modules"
  cp "$here/package.json" "$here/package-lock.json" "$place/"
  (cd "$place" && npm ci --ignore-scripts --no-audit --no-fund >install.log 2>&1) || {
    cat "$place/install.log" >&2
    echo "the linter could not be installed from the npm registry" >&2
    exit 1
  }
  touch "$place/installed"
fi
"$place/node_modules/.bin/spectral" lint --fail-severity=warn --ruleset "$here/spectral.yaml" "$repo/schema/openapi.yaml"
