// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How dom0's own programs for files come to a file without following a link: a text for bash.
 *
 * A folder is entered, and then the kernel is asked what it is: it must be the very path that was
 * given. From there on names are looked up in that folder, whatever is put in the place of its path
 * meanwhile, and each tool is told not to follow a link at the last part.
 *
 * @module
 */

export const ENTERED_FOLDER = `
fail() { echo "$*" >&2; exit 1; }
enter() {
  cd -P -- "$1" 2>/dev/null && [ "$(readlink -- /proc/self/cwd)" = "$1" ] ||
    fail "no such folder, or a link leads there: $1"
  case $(stat --file-system --format=%T .) in
    proc | sysfs | cgroup*fs | debugfs | tracefs | securityfs | devpts | configfs | bpf_fs | efivarfs)
      fail "not a place for files: $1" ;;
  esac
}
enter_parent() {
  local parent=\${path%/*}
  enter "\${parent:-/}"
  name=./\${path##*/}
}
is_file() { [ -f "$name" ] && [ ! -L "$name" ]; }
is_there() { [ -e "$name" ] || [ -L "$name" ]; }
only_files() {
  is_there || fail "no such file: $path"
  is_file || fail "not a regular file: $path"
}
`;
