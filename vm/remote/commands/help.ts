// SPDX-License-Identifier: GPL-2.0-or-later
/** The text of --help, from the table. @module */

import { type OptionHelpTable, PROGRAM, RUN_OPTIONS, SUB_COMMANDS } from "./cli_table.ts";

export function helpText(): string {
  return `usage: ${PROGRAM} [OPTION...] COMMAND [WORD...]
       ${PROGRAM} [OPTION...] 'SCRIPT'
       ${PROGRAM} [OPTION...] < SCRIPT
       ${PROGRAM} SUB-COMMAND

Runs a command in dom0 and prints its output as it comes. Several words are a program and its
arguments, passed on as they are; one word, -c or stdin is a script for bash.

  ${PROGRAM} qvm-ls --raw-list         a program and its arguments
  ${PROGRAM} 'qvm-ls | grep work'      a script
  ${PROGRAM} -t 3600 qvm-backup /mnt   with an hour of time
  ${PROGRAM} -- status                 the program "status": "--" ends sub-commands, too
  ${PROGRAM} op vm.start vm=work       an operation of dom0 by its name; "ops" lists them

Where dom0's policy says so, a person there is asked first. That time does not count for -t;
Ctrl-C takes the request back.

options:
${optionLines(RUN_OPTIONS)}
sub-commands (each also takes --json):
${subCommandLines()}
exit codes: the command's own; 124 timed out, 126 refused or ended by dom0, 130 interrupted,
137 over a limit, 255 no answer or a wrong one; 2 usage, 1 other errors.

To begin: "${PROGRAM} key gen" here, "qvm-remote-dom0 authorize VM" in dom0, "${PROGRAM} ping".
`;
}

function optionLines(options: OptionHelpTable): string {
  return Object.entries(options).map(([name, { short, value, help }]) => {
    const words = (short === undefined ? "    " : `-${short}, `) + `--${name}` +
      (value === undefined ? "" : ` ${value}`);
    return `  ${words.padEnd(24)} ${help}\n`;
  }).join("");
}

function subCommandLines(): string {
  return SUB_COMMANDS.map(({ path, words, options, help }) => {
    const names = Object.keys(options).filter((name) => name !== "json" && name !== "help");
    const usage = [path, ...names.map((name) => `[--${name}]`), words].filter((part) =>
      part !== ""
    );
    return `  ${usage.join(" ").padEnd(24)} ${help}\n`;
  }).join("");
}
