// SPDX-License-Identifier: GPL-2.0-or-later
/** qubes-global-admin-web: dom0 in a browser of dom0. Serves loopback, or opens the browser. @module */

import { unknownCommand } from "../shared/cli/did_you_mean.ts";
import { realClock } from "../shared/io/clock.ts";
import { expectWords, parseWords } from "../shared/cli/options.ts";
import { runProgram, UsageError, UserError, writeAll } from "../shared/cli/program.ts";
import { VERSION } from "../shared/io/version.ts";
import { ADMIN_COMMANDS, ADMIN_HELP, ADMIN_OPTIONS, ADMIN_SHORT } from "./admin/cli_table.ts";
import { loginAddress, makeRootsTicket, openBrowser } from "./admin/open_browser.ts";
import { runAdmin } from "./admin/run_admin.ts";
import { dom0Paths } from "./settings/paths.ts";

const PROGRAM = "qubes-global-admin-web";

async function main(words: readonly string[]): Promise<number> {
  const options = parseWords(words, ADMIN_OPTIONS, ADMIN_SHORT);
  if (options.has("help")) return say(ADMIN_HELP);
  if (options.has("version")) return say(`${PROGRAM} ${VERSION}\n`);
  const root = Deno.env.get("QUBES_CLAW_ROOT") ?? "";
  const [command, ...rest] = options.rest;
  switch (command) {
    case undefined:
      return await serve(root);
    case "ticket":
      expectWords(rest, 0, 0, `${PROGRAM} ticket`);
      return say(`${await rootsTicket(root)}\n`);
    case "open": {
      expectWords(rest, 0, 1, `${PROGRAM} open [PATH]`);
      const [path = "/"] = rest;
      if (!/^\/[\w.~%\/-]*$/.test(path)) throw new UsageError("a path is like /approvals");
      return await open(path, root);
    }
    default:
      throw unknownCommand("command", command, [...ADMIN_COMMANDS.keys()], `"${PROGRAM} --help"`);
  }
}

async function serve(root: string): Promise<number> {
  requireRoot(root, "the server");
  // What only "open" needs, the server gives up.
  for (const program of ["sudo", "xdg-open", "systemctl"]) {
    await Deno.permissions.revoke({ name: "run", command: program });
  }
  for (const name of ["read", "write"] as const) {
    await Deno.permissions.revoke({ name, path: "/run/user" });
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  await runAdmin({
    paths: dom0Paths(root),
    clock: realClock,
    notify: {
      notifySocket: Deno.env.get("NOTIFY_SOCKET"),
      watchdogUsec: Deno.env.get("WATCHDOG_USEC"),
    },
  }, stop.signal);
  return 0;
}

async function open(path: string, root: string): Promise<number> {
  // A browser that root starts has root's rights: print the address instead and let the person choose.
  if (Deno.uid() === 0) return say(`${loginAddress(path, await rootsTicket(root))}\n`);
  const userFolder = Deno.env.get("XDG_RUNTIME_DIR");
  if (userFolder === undefined) {
    throw new UserError("XDG_RUNTIME_DIR is not set: no session of a user");
  }
  await openBrowser(path, userFolder);
  return 0;
}

async function rootsTicket(root: string): Promise<string> {
  requireRoot(root, "ticket");
  return await makeRootsTicket(dom0Paths(root).adminRunFolder, root === "");
}

function requireRoot(root: string, what: string): void {
  if (root === "" && Deno.uid() !== 0) {
    throw new UserError(`${what} must run as root`, ["put sudo in front of it"]);
  }
}

function say(text: string): number {
  writeAll(Deno.stdout, text);
  return 0;
}

if (import.meta.main) {
  Deno.exit(await runProgram(PROGRAM, () => main(Deno.args)));
}
