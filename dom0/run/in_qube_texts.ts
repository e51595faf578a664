// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What dom0 has a qube's own bash do with a file of it: fixed texts, which take what differs from stdin,
 * each value ended by a NUL. So no name of a file is ever read as a command.
 *
 * qvm-run puts "TEXT; exit" before the rest of stdin, and /bin/bash in the qube reads that from there
 * byte by byte (qubes.VMShell): a text is one compound command, and the values come after it.
 *
 * A qube can answer what it likes; dom0 bounds and checks each answer. Exit codes say what went wrong:
 *
 *     3 no such file   4 not a regular file   5 not readable   6 something of that name is there
 *     7 no such folder   8 not writable   9 no room   10 cut off   11 not what was sent
 *
 * @module
 */

/** From "~" on, it is in the home of the qube's usual user. */
const READ_PATH =
  `IFS= read -r -d "" path || exit 1; case $path in "~" | "~/"*) path=$HOME\${path#?} ;; esac`;
const READ_SIZE = `IFS= read -r -d "" size || exit 1`;
const IS_FILE = `[ -e "$path" ] || exit 3; [ -f "$path" ] || exit 4; [ -r "$path" ] || exit 5`;

/** PATH: prints how many bytes it has. */
export const SIZE_IN_QUBE = `{ ${READ_PATH}; ${IS_FILE}; stat -L -c %s -- "$path"; }`;

/** PATH SIZE: prints the SHA-256 of the first SIZE bytes. */
export const HASH_IN_QUBE =
  `{ ${READ_PATH}; ${READ_SIZE}; head -c "$size" -- "$path" | sha256sum; }`;

/** PATH SIZE: prints the first SIZE bytes. */
export const GET_IN_QUBE = `{ ${READ_PATH}; ${READ_SIZE}; exec head -c "$size" -- "$path"; }`;

/** PATH: lists a folder, as file-list does; a name with a line end in it cannot be asked for. */
export const BROWSE_IN_QUBE = `{ ${READ_PATH}
[ -e "$path" ] || exit 3
cd -- "$path" 2>/dev/null || exit 7
find . -mindepth 1 -maxdepth 1 ! -name "*
*" -printf "%Y %s %m %Ts %f\\n" | LC_ALL=C.UTF-8 sort -k5 | head -n 2000; }`;

/**
 * PATH SIZE SHA256 and then the bytes: makes the file and prints its SHA-256. Of folders, only those that
 * qvm-copy would make are made. It is written beside, and stays only whole.
 */
export const PUT_IN_QUBE = `{ ${READ_PATH}; ${READ_SIZE}
IFS= read -r -d "" want || exit 1
umask 077
case $path in
  "$HOME"/QubesIncoming/*) mkdir -p -- "\${path%/*}" 2>/dev/null ;;
esac
folder=\${path%/*}/
[ -d "$folder" ] || exit 7
if [ -e "$path" ] || [ -L "$path" ]; then exit 6; fi
new=$(mktemp -- "$folder.qubes-claw.XXXXXXXX" 2>/dev/null) || exit 8
trap "rm -f -- \\"\\$new\\"" EXIT
trap "exit 1" HUP INT TERM
head -c "$size" >"$new" || exit 9
[ "$(stat -c %s -- "$new")" = "$size" ] || exit 10
sum=$(sha256sum <"$new")
[ "\${sum%% *}" = "$want" ] || exit 11
mv -nT -- "$new" "$path" 2>/dev/null
[ ! -e "$new" ] || exit 6
echo "\${sum%% *}"; }`;
