// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "make sim-web": the web admin over the simulated Qubes, with an agent that asks for something now
 * and then. Ctrl-C ends it, and nothing is left.
 *
 * @module
 */

import { createDaemonChannel } from "../../dom0/admin/channel/daemon_channel.ts";
import { loginAddress } from "../../dom0/admin/open_browser.ts";
import { PORT } from "../../dom0/admin/run_admin.ts";
import { makeTicket } from "../../dom0/admin/server/tickets.ts";
import { startAdmin } from "../../dom0/admin/start_admin.ts";
import { dom0Paths } from "../../dom0/settings/paths.ts";
import { realClock } from "../../shared/io/clock.ts";
import { writeAll } from "../../shared/cli/program.ts";
import { aborted, pause } from "../../shared/io/timing.ts";
import { finish, install, type Installed } from "./installed.ts";

const VMS = [
  { name: "work" },
  { name: "agent" },
  { name: "ai-build-1" },
  { name: "ai-build-2" },
  { name: "untrusted" },
];
const ASK_EVERY_MS = 20_000;

/** What the agent would like to do; each waits for you. */
const WISHES: readonly (readonly string[])[] = [
  ["--why", "Nightly tests run in it.", "qvm-tags", "ai-build-1", "add", "nightly"],
  ["--why", "The build needs more memory.", "qvm-prefs", "ai-build-2", "maxmem", "8000"],
  [
    "--why",
    "Clones its fixtures over ssh.",
    "qvm-firewall",
    "ai-build-1",
    "add",
    "accept",
    "dsthost=192.0.2.17",
    "proto=tcp",
    "dstports=22",
  ],
  ["--why", "Not needed any more.", "qvm-remove", "--force", "ai-build-2"],
  ["for qube in $(qvm-ls --raw-list); do echo $qube; done"],
];

function say(text: string): void {
  writeAll(Deno.stdout, text);
}

async function main(): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  say("A simulated Qubes is made; that takes some seconds.\n");
  await using qubes = await install(VMS);
  await qubes.authorize("agent", "--grant", "ask");
  await qubes.authorize("work", "--grant", "full");
  const daemon = await qubes.startDaemon(["agent", "work"]);
  const paths = dom0Paths(qubes.world.dom0Root);
  await Deno.mkdir(paths.adminRunFolder, { recursive: true });
  const channel = createDaemonChannel(paths);
  const admin = await startAdmin({
    ...{ port: PORT, channel, runFolder: paths.adminRunFolder, clock: realClock },
    warn: (line) => say(`${line}\n`),
  });
  try {
    say(
      `\nOpen this in a browser of this machine, within a minute:\n\n  ${
        loginAddress("/", await makeTicket(paths.adminRunFolder))
      }\n\nThe VM "agent" asks for something every ${
        ASK_EVERY_MS / 1000
      } s. Enter makes another login, Ctrl-C ends it.\n`,
    );
    void loginsOnEnter(paths.adminRunFolder);
    void askAgainAndAgain(qubes, stop.signal);
    await aborted(stop.signal);
  } finally {
    await admin.close();
    channel.close();
    await daemon.stop();
  }
  return 0;
}

async function loginsOnEnter(runFolder: string): Promise<void> {
  for await (const _ of Deno.stdin.readable) {
    say(`  ${loginAddress("/", await makeTicket(runFolder))}\n`);
  }
}

async function askAgainAndAgain(qubes: Installed, until: AbortSignal): Promise<void> {
  for (let turn = 0; !until.aborted; turn++) {
    void finish(qubes.spawnClient("agent", WISHES[turn % WISHES.length] ?? [])).catch(() => {});
    void finish(qubes.spawnClient("work", ["qvm-ls", "--raw-list"])).catch(() => {});
    await pause(ASK_EVERY_MS, until);
  }
}

if (import.meta.main) {
  Deno.exit(await main());
}
