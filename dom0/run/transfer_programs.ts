// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What copies files between dom0 and qubes: fixed texts for bash, as those of file_programs.ts are.
 *
 *     file-browse VM FOLDER    file-fetch [--most N] VM FROM PATH
 *     file-send [--to TO] VM PATH    file-copy [--to TO] VM FROM TO_VM
 *
 * The far end is in_qube_texts.ts, by qvm-run, which does not start the qube. What a qube says is a
 * number, 64 digits of a SHA-256, or bytes that are counted; anything else ends it, and its error
 * texts are not shown. Both ends compute the SHA-256, and a copy stays only if they are the same.
 *
 * On stderr, for whoever waits: "progress BYTES OF-BYTES SECONDS" about once a second, and first with 0
 * bytes, while a SHA-256 is computed. On stdout, at the end: names and values.
 *
 * @module
 */

import { shellQuote } from "../../shared/protocol/command.ts";
import { ENTERED_FOLDER } from "./entered_folder.ts";
import {
  BROWSE_IN_QUBE,
  GET_IN_QUBE,
  HASH_IN_QUBE,
  PUT_IN_QUBE,
  SIZE_IN_QUBE,
} from "./in_qube_texts.ts";

/** dom0 needs some room to run at all. */
const KEPT_FREE_BYTES = 512 * 1024 ** 2;
/** What fetching takes unless it is told otherwise: a mistyped name shall not fill the disk. */
const MOST_BYTES = 16 * 1024 ** 3;
/** Copied in one go: then it is looked how far it is, and how much room there is. */
const PIECE_BYTES = 4 * 1024 ** 2;
/** A folder of a qube as it lists it: 2,000 names of 255 bytes, and what is said of each. */
const MAX_LIST_BYTES = 1024 ** 2;

const PRELUDE = `${ENTERED_FOLDER}
export LC_ALL=C.UTF-8
umask 077
set -o pipefail
most=${MOST_BYTES} to=
while :; do
  case $1 in
    --most) most=$2; shift 2 ;;
    --to) to=$2; shift 2 ;;
    *) break ;;
  esac
done

# The values for TEXT come on stdin.
in_qube() { qvm-run --pass-io --no-gui --no-autostart -- "$1" "$2" 2>/dev/null; }
must_run() {
  qvm-check --quiet --running -- "$1" >/dev/null 2>&1 || fail "$1 does not run: start it first"
}
explain() { # CODE VM PATH
  case $1 in
    3) fail "no such file in $2: $3" ;;
    4) fail "not a regular file in $2: $3" ;;
    5) fail "$2 may not read it: $3" ;;
    6) fail "there is something of that name in $2: $3" ;;
    7) fail "no such folder in $2: $3" ;;
    8) fail "$2 may not write there: $3" ;;
    9) fail "$2 has no room for it: $3" ;;
    10) fail "not all of it came to $2: $3" ;;
    11) fail "it changed while it was copied; nothing was kept: $3" ;;
    *) fail "$2 did not answer as it should (code $1): is it paused, or no Linux?" ;;
  esac
}
# Sets size.
size_in() { # VM PATH
  size=$(printf '%s\\0' "$2" | in_qube "$1" ${shellQuote([SIZE_IN_QUBE])} | head -c 20
    exit "\${PIPESTATUS[1]}") || explain "$?" "$1" "$2"
  [[ $size =~ ^(0|[1-9][0-9]{0,14})$ ]] || fail "$1 does not say how large it is: $2"
}
# Sets theirs.
hash_in() { # VM PATH
  progress 0
  theirs=$(printf '%s\\0%s\\0' "$2" "$size" |
    in_qube "$1" ${shellQuote([HASH_IN_QUBE])} | head -c 200
    exit "\${PIPESTATUS[1]}") || explain "$?" "$1" "$2"
  theirs=\${theirs%% *}
  is_hash "$theirs" || fail "$1 gives no SHA-256: $2"
}
is_hash() { [[ $1 =~ ^[0-9a-f]{64}$ ]]; }
get_from() { printf '%s\\0%s\\0' "$2" "$size" | in_qube "$1" ${shellQuote([GET_IN_QUBE])}; }
# The bytes come on stdin; sets theirs. The qube keeps nothing that has another SHA-256.
put_into() { # VM TO SHA256
  theirs=$({ printf '%s\\0%s\\0%s\\0' "$2" "$size" "$3"; carry; } |
    in_qube "$1" ${shellQuote([PUT_IN_QUBE])} | head -c 200
    exit "\${PIPESTATUS[1]}") || explain "$?" "$1" "$2"
  [ "$theirs" = "$3" ] || fail "$1 says that something else has arrived: $2"
}
free_bytes() { echo $(($(stat --file-system --format='%a*%S' .))); }
has_room() { [ "$(free_bytes)" -ge $(($1 + kept)) ]; }
# Copies size bytes, and no more. 2: there are not so many. 3: no room. Or what dd says.
carry() { # [what must be true before each piece]
  local so_far=0 told=0 piece said
  SECONDS=0
  exec 5>&1
  while [ "$so_far" -lt "$size" ]; do
    piece=$((size - so_far))
    [ "$piece" -le ${PIECE_BYTES} ] || piece=${PIECE_BYTES}
    [ $# -eq 0 ] || "$@" "$piece" || return 3
    said=$(dd bs=64K count="$piece" iflag=count_bytes,fullblock 2>&1 >&5) || return 1
    [[ $said =~ ([0-9]+)' byte' ]] && [ "\${BASH_REMATCH[1]}" -gt 0 ] || return 2
    so_far=$((so_far + BASH_REMATCH[1]))
    [ "$SECONDS" -eq "$told" ] || progress "$so_far"
  done
  progress "$so_far"
}
progress() { told=$SECONDS; echo "progress $1 $size $SECONDS" >&2; }
report() { # SOURCE-HASH COPY-HASH
  printf 'bytes %s\\nsha256_of_source %s\\nsha256_of_copy %s\\ncompared equal\\n' "$size" "$1" "$2"
}
`;

const BROWSE = `
must_run "$1"
printf '%s\\0' "$2" | in_qube "$1" ${shellQuote([BROWSE_IN_QUBE])} | head -c ${MAX_LIST_BYTES}
code=\${PIPESTATUS[1]}
case $code in
  0) ;;
  3) fail "no such folder in $1: $2" ;;
  7) fail "$1 may not read it, or it is no folder: $2" ;;
  *) explain "$code" "$1" "$2" ;;
esac
`;

/** What a kill left there is removed by a later one. */
const FETCH = `
vm=$1 from=$2 path=$3
# As in a qube: what comes from one lies in ~/QubesIncoming/ITS-NAME, which is made if it is not there.
make_incoming() {
  local place=\${path%/QubesIncoming/"$vm"/*} part
  [ "$place" != "$path" ] || return 0
  for part in QubesIncoming "$vm"; do
    enter "$place"
    mkdir -- "./$part" 2>/dev/null && chown --no-dereference --reference=. -- "./$part"
    place=$place/$part
  done
}
must_run "$vm"
size_in "$vm" "$from"
[ "$size" -le "$most" ] || fail "it has $size bytes, and at most $most are taken: $from"
make_incoming
enter_parent
! is_there || fail "there is something of that name in dom0: $path"
has_room "$size" ||
  fail "no room: it has $size bytes, and dom0 has $(free_bytes), of which $kept stay free"
hash_in "$vm" "$from"
new=./.qvm-remote-$QVM_REMOTE_ID
find . -maxdepth 1 -type f -name '.qvm-remote-2*' -mmin +60 -delete
trap 'rm -f -- "$new"' EXIT
trap 'exit 143' TERM INT HUP
set -o noclobber
exec 3>"$new" || fail "cannot be written: $path"
chown --reference=. /proc/self/fd/3 2>/dev/null
get_from "$vm" "$from" | carry has_room >&3
codes=("\${PIPESTATUS[@]}")
case \${codes[1]} in
  0) ;;
  1) fail "cannot be written: no room on the disk, or it is read-only: $path" ;;
  2) [ "\${codes[0]}" -eq 0 ] || explain "\${codes[0]}" "$vm" "$from"
    explain 11 "$vm" "$from" ;;
  *) fail "no room any more: dom0 has $(free_bytes) bytes, of which $kept stay free" ;;
esac
sync -- "$new" && ours=$(sha256sum </proc/self/fd/3) || fail "cannot be read again: $path"
[ "\${ours%% *}" = "$theirs" ] || explain 11 "$vm" "$from"
ln -T -- "$new" "$name" 2>/dev/null || fail "there is something of that name in dom0: $path"
rm -f -- "$new"
sync -- .
printf 'file %s\\nin dom0\\n' "$path"
report "$theirs" "\${ours%% *}"
`;

const SEND = `
vm=$1 path=$2
enter_parent
only_files
exec 4<"$name" && [ "$(readlink -- /proc/self/fd/4)" = "$path" ] || fail "cannot be read: $path"
must_run "$vm"
size=$(stat --dereference --format=%s /proc/self/fd/4)
progress 0
ours=$(head -c "$size" /proc/self/fd/4 | sha256sum) || fail "cannot be read: $path"
to=\${to:-"~/QubesIncoming/dom0/\${path##*/}"}
put_into "$vm" "$to" "\${ours%% *}" <&4
printf 'file %s\\nin %s\\n' "$to" "$vm"
report "\${ours%% *}" "$theirs"
`;

const COPY = `
vm=$1 from=$2 to_vm=$3
[ "$vm" != "$to_vm" ] || fail "it is in $vm already"
must_run "$vm"
must_run "$to_vm"
size_in "$vm" "$from"
[ "$size" -le "$most" ] || fail "it has $size bytes, and at most $most are taken: $from"
hash_in "$vm" "$from"
to=\${to:-"~/QubesIncoming/$vm/\${from##*/}"}
get_from "$vm" "$from" | put_into "$to_vm" "$to" "$theirs"
[ "\${PIPESTATUS[1]}" -eq 0 ] || exit 1
printf 'file %s\\nin %s\\n' "$to" "$to_vm"
report "$theirs" "$theirs"
`;

/** By the name of the program. */
export function transferPrograms(keptFreeBytes = KEPT_FREE_BYTES): ReadonlyMap<string, string> {
  const before = `kept=${keptFreeBytes}\n${PRELUDE}`;
  return new Map([
    ["file-browse", before + BROWSE],
    ["file-fetch", before + FETCH],
    ["file-send", before + SEND],
    ["file-copy", before + COPY],
  ]);
}
