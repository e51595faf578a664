// SPDX-License-Identifier: GPL-2.0-or-later
/** The commands and options of qubes-global-admin-web, once: to run them, for --help, for its page. @module */

import type { OptionTable } from "../../shared/cli/options.ts";

export const ADMIN_OPTIONS: OptionTable = { help: "flag", version: "flag" };
export const ADMIN_SHORT = { h: "help" } as const;

export interface AdminCommand {
  readonly words: string;
  readonly about: string;
}

export const ADMIN_COMMANDS: ReadonlyMap<string, AdminCommand> = new Map([
  ["open", {
    words: "[PATH]",
    about: "start the service if it does not run, and open a browser that is logged in",
  }],
  ["ticket", { words: "", about: "print a login that is good once, for one minute; root's" }],
]);

export const ADMIN_HELP = `qubes-global-admin-web - dom0 in a browser of dom0

usage: qubes-global-admin-web
       qubes-global-admin-web COMMAND [WORDS]

Without a command it is the server, on 127.0.0.1:9876; systemd starts it so.

commands:
${
  [...ADMIN_COMMANDS].map(([name, { words, about }]) =>
    `  ${name} ${words}`.trimEnd() + `\n      ${about}\n`
  ).join("")
}
  --version, -h, --help

exit codes: 0 good, 1 failed, 2 usage
`;
