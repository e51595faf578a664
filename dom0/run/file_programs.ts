// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the operations file.* run: fixed texts for bash over coreutils, as commands of their own with all
 * limits of commands. (Deno gives no descriptor of a folder to a program without every permission.)
 *
 * No link is followed: entered_folder.ts. If there is no such folder or a link leads there, the answer is
 * the same, so nothing is learned of what lies elsewhere.
 *
 *     file-list PATH    file-stat [--hash] PATH    file-read [--offset N] [--bytes N] PATH
 *     file-write, file-replace [--mode M] [--mtime T] PATH <DATA    file-mkdir [--mode M] PATH
 *
 * @module
 */

import { ENTERED_FOLDER } from "./entered_folder.ts";
import { transferPrograms } from "./transfer_programs.ts";

const PRELUDE = `${ENTERED_FOLDER}
PATH=/usr/bin:/bin LC_ALL=C.UTF-8
mode= mtime= offset=0 bytes= hash=
while [ $# -gt 1 ]; do
  case $1 in
    --hash) hash=yes; shift ;;
    --mode) mode=$2; shift 2 ;;
    --mtime) mtime=$2; shift 2 ;;
    --offset) offset=$2; shift 2 ;;
    --bytes) bytes=$2; shift 2 ;;
    *) fail "not known: $1" ;;
  esac
done
path=$1
`;

/** A name with a line end in it cannot be asked for. */
const LIST = `
enter "$path"
find . -mindepth 1 -maxdepth 1 ! -name $'*\\n*' -printf '%y %s %m %Ts %f\\n' | sort -k5
`;

/** The version is another one after each change: file system, number in it, time of the last change. */
const STAT = `
enter_parent
is_there || fail "no such file: $path"
stat --printf='type %F\\nsize %s\\nmode %a\\nmtime %Y\\nversion %d.%i.%.9Z\\n' -- "$name" | sed 's/^type regular empty file$/type regular file/'
[ -n "$hash" ] && is_file || exit 0
set -o pipefail
sum=$(dd if="$name" iflag=nofollow,nonblock bs=1M status=none | sha256sum) || fail "cannot be read: $path"
echo "sha256 \${sum%% *}"
`;

const READ = `
enter_parent
only_files
exec dd if="$name" iflag=nofollow,nonblock,skip_bytes,count_bytes,fullblock bs=256K \\
  skip="$offset" \${bytes:+count="$bytes"} status=none
`;

/**
 * What a kill left there is removed by the next write: it is locked as long as somebody writes it, and
 * while the folder is locked none is made.
 */
const TIDY = `
exec 8<. && flock -w 60 8 || fail "the folder is in use: $path"
for part in ./.qvm-remote-2*; do
  [ -f "$part" ] && [ ! -L "$part" ] && { flock -n 7 && rm -f -- "$part"; } 7<"$part"
done
`;

/**
 * What came lies in a file that nobody else has and that goes when this ends: in the same file system a
 * second name for it is as good as a copy. (Where new files get the folder's group it would not be.)
 * From there on it is meant by its descriptor, as something else may come in the place of its name.
 */
const WRITE = `
new=./.qvm-remote-$QVM_REMOTE_ID
file=/proc/self/fd/9
trap 'rm -f -- "$new"' EXIT
trap 'exit 143' TERM INT HUP
umask 077
fill() {
  if [ ! -f /proc/self/fd/0 ] || [ -g . ] || ! ln -LT /proc/self/fd/0 "$new" 2>/dev/null; then
    dd of="$new" oflag=nofollow conv=excl count=0 status=none 2>/dev/null || return
    empty=yes
  fi
  exec 9<"$new" && [ "$(stat -c %d:%i -- "$new")" = "$(stat -L -c %d:%i -- "$file")" ] &&
    flock -n 9 && exec 8<&- || return
  [ -z "$empty" ] || cp --reflink=auto -- /proc/self/fd/0 "$file" 2>/dev/null
}
fill || fail "cannot be written: no room on the disk, or it is read-only: $path"
chmod -- "\${mode:-0644}" "$file" && { [ -z "$mtime" ] || touch --date="@$mtime" -- "$file"; } &&
  sync -- "$file" || fail "cannot be written: $path"
`;

const NEW = `
enter_parent
${TIDY}
! is_there || fail "there is something of that name: $path"
${WRITE}
ln -T -- "$new" "$name" 2>/dev/null || fail "there is something of that name: $path"
rm -f -- "$new"
sync -- .
`;

const REPLACE = `
enter_parent
${TIDY}
! is_there || only_files
${WRITE}
mv -fT -- "$new" "$name" || fail "cannot be put in its place: $path"
sync -- .
`;

const MKDIR = `
enter_parent
mkdir --mode="\${mode:-0755}" -- "$name" 2>/dev/null && exit
[ -d "$name" ] && [ ! -L "$name" ] || fail "cannot be made, or something else is there: $path"
`;

const PROGRAMS: ReadonlyMap<string, string> = new Map([
  ["file-list", PRELUDE + LIST],
  ["file-stat", PRELUDE + STAT],
  ["file-read", PRELUDE + READ],
  ["file-write", PRELUDE + NEW],
  ["file-replace", PRELUDE + REPLACE],
  ["file-mkdir", PRELUDE + MKDIR],
  ...transferPrograms(),
]);

/** The words that run for these; the same, if they name no program of dom0's own. */
export function withOwnProgram(
  [program, ...args]: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  const text = PROGRAMS.get(program);
  return text === undefined ? [program, ...args] : ["/bin/bash", "-c", text, program, ...args];
}
