#!/bin/bash
# Includes point down only: lint_includes.sh [ROOT] prints each one that does not, as FILE:LINE: …, and exits 1.
#
#   services/x → common/pipeline → common/broker, common/store, common/trace → common/base; services never include each
#   other.
#   A library's header is for the one folder that wraps it: amqp*.h common/broker, openssl/* its tls.c, sqlite3.h
#   common/store, microhttpd.h services/order/http_*, gnutls/* its http_tls.c and token_keys.c, jwt.h its user_token.c,
#   curl/*.h services/notification/*webhook*, zstd.h common/trace. loadtest/replay speaks HTTP and uses common/base and
#   the format of traces alone; loadtest/floors measures libraries and layers one by one, and like the tests it may
#   include anything.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

# The folders whose headers FILE may include, apart from its own.
allowed_folders() {
  case $1 in
    common/base/*) ;;
    common/broker/* | common/store/* | common/trace/*) echo common/base ;;
    common/pipeline/*) echo common/base common/broker common/store common/trace ;;
    services/*) echo common/base common/broker common/store common/trace common/pipeline ;;
    loadtest/replay/*) echo common/base common/trace ;;
  esac
}

# May FILE include this system header?
library_is_allowed() {
  local file=$1 header=$2
  case $header in
    amqp.h | amqp_*.h | rabbitmq-c/*) [[ $file == common/broker/* ]] ;;
    sqlite3.h | sqlite3ext.h) [[ $file == common/store/* ]] ;;
    zstd.h) [[ $file == common/trace/* ]] ;;
    microhttpd.h) [[ $file == services/order/http_* ]] ;;
    openssl/*) [[ $file == common/broker/tls.c ]] ;;
    curl/*) [[ $file == services/notification/*webhook* ]] ;;
    jwt.h) [[ $file == services/order/user_token.c ]] ;;
    gnutls/*) [[ $file == services/order/token_keys.c || $file == services/order/http_tls.c ]] ;;
  esac
}

# Sets $folder to the one that counts as the path's own: common/base, services/order, loadtest/replay.
set_folder_of() {
  local rest=${1#*/}
  folder=${1%%/*}/${rest%%/*}
}

faults=0
complain() {
  echo "$1"
  faults=$((faults + 1))
}

check_own_header() {
  local file=$1 place=$2 header=$3 own folder
  [[ $header == */* ]] || {
    complain "$place: \"$header\" is not named from the project's root"
    return
  }
  set_folder_of "$file"
  own=$folder
  set_folder_of "$header"
  [[ $folder == "$own" || " $(allowed_folders "$file") " == *" $folder "* ]] ||
    complain "$place: $own must not include $folder (\"$header\")"
}

pattern='^[[:space:]]*#[[:space:]]*include[[:space:]]*([<"])([^>"]+)[>"]'
folders=()
for folder in common services loadtest; do
  [[ -d $folder ]] && folders+=("$folder")
done
[[ ${#folders[@]} -gt 0 ]] || {
  echo "nothing to look at in $PWD" >&2
  exit 64
}

while IFS=: read -r file line text; do
  [[ $file != loadtest/floors/* && $text =~ $pattern ]] || continue
  header=${BASH_REMATCH[2]}
  if [[ ${BASH_REMATCH[1]} == '"' ]]; then
    check_own_header "$file" "$file:$line" "$header"
  fi
  library_is_allowed "$file" "$header" || complain "$file:$line: <$header> belongs to another folder"
done < <(grep -rnE --include='*.c' --include='*.h' '^[[:space:]]*#[[:space:]]*include' "${folders[@]}" || true)

[[ $faults -eq 0 ]]
