// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A marked block of lines in a script of a VM, and the script that looks at it, puts it in and
 * takes it out. The script is fixed text that goes to the stdin of "sh" in the VM; the VM's
 * answer is an exit code, nothing it prints is read.
 *
 * Between the marks everything is ours; outside them not a byte changes. A file that is not
 * there is made, and removed again if nothing but its first line is left.
 *
 * @module
 */

import { shellQuote } from "../../shared/protocol/command.ts";

/** No character in it means anything in a basic regular expression. */
export const BLOCK_BEGIN = "# BEGIN qubes-claw setup-dom0 (taken out by: setup-dom0 --undo)";
export const BLOCK_END = "# END qubes-claw setup-dom0";

/** Exit codes of the script; far from those of the shell, of qrexec and of qvm-run. */
export const BLOCK_EXIT = { same: 0, none: 41, other: 42, notExecutable: 43 } as const;

export interface Block {
  readonly path: string;
  readonly text: string;
  readonly cleanup: string;
}

export type BlockAction = "look" | "put" | "take";

/** QUBES_CLAW_ROOT is set in the simulated VMs only, which share one file system. */
export function blockScript(action: BlockAction, { path, text, cleanup }: Block): string {
  const want = `${BLOCK_BEGIN}\n${text}${BLOCK_END}`;
  return `set -eu
action=${action}
file=\${QUBES_CLAW_ROOT-}${shellQuote([path])}
range=${shellQuote([`/^${BLOCK_BEGIN}$/,/^${BLOCK_END}$/`])}
want=${shellQuote([want])}
rules=${shellQuote([text])}
cleanup=${shellQuote([cleanup])}
${STEPS}`;
}

const STEPS = `have=
if [ -f "$file" ]; then
  have=$(sed -n "$range p" "$file")
fi
if [ "$action" = look ]; then
  [ "$have" != "" ] || exit ${BLOCK_EXIT.none}
  [ "$have" = "$want" ] || exit ${BLOCK_EXIT.other}
  exit ${BLOCK_EXIT.same}
fi
# A script that is not executable is not run; making it so would run lines that sleep in it.
if [ -s "$file" ] && [ ! -x "$file" ]; then exit ${BLOCK_EXIT.notExecutable}; fi
new=$file.setup-dom0
mkdir -p "\${file%/*}"
if [ -f "$file" ]; then
  cp -p "$file" "$new" # owner and mode
  sed "$range d" "$file" >"$new"
else
  echo '#!/bin/sh' >"$new"
fi
if [ "$action" = put ]; then
  [ -z "$(tail -c 1 "$new")" ] || echo >>"$new" # the last line had no end
  printf '%s\\n' "$want" >>"$new"
  chmod 755 "$new"
elif [ "$(cat "$new")" = '#!/bin/sh' ]; then
  rm -f "$new" "$file"
fi
if [ -f "$new" ]; then
  sync "$new" 2>/dev/null || sync
  mv "$new" "$file"
fi
# Now, too, not only at the next start.
sh -c "$cleanup"
if [ "$action" = put ]; then sh -e -c "$rules"; fi
exit 0
`;
