// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "make sim-web": the web admin over the simulated Qubes, with an agent VM that asks for something now
 * and then. Ctrl-C ends it, and nothing is left.
 *
 * @module
 */

import { createDaemonChannel } from "../../dom0/admin/channel/daemon_channel.ts";
import { loginAddress } from "../../dom0/admin/open_browser.ts";
import { PORT } from "../../dom0/admin/run_admin.ts";
import { makeTicket } from "../../dom0/admin/server/tickets.ts";
import { type RunningAdmin, startAdmin } from "../../dom0/admin/start_admin.ts";
import { dom0Paths } from "../../dom0/settings/paths.ts";
import { realClock } from "../../shared/io/clock.ts";
import { writeAll } from "../../shared/cli/program.ts";
import { aborted, pause } from "../../shared/io/timing.ts";
import { finish, install, type Installed } from "./installed.ts";
import { AGENT, FIRST, furnish, VMS, type Wish, WISHES } from "./sim_web_world.ts";

const ASK_EVERY_MS = 20_000;

function say(text: string): void {
  writeAll(Deno.stdout, text);
}

export interface SimWeb extends AsyncDisposable {
  readonly qubes: Installed;
  readonly admin: RunningAdmin;
  /** Good once, for a minute. */
  newLogin(path: string): Promise<string>;
  /** As a VM that asks would; ends when it has its answer. */
  ask(wish: Wish): Promise<void>;
}

/** @param port 0 for any */
export async function startSimWeb(port: number): Promise<SimWeb> {
  const qubes = await install(VMS);
  const qubesd = await furnish(qubes);
  await qubes.authorize(AGENT, "--grant", "ask");
  await qubes.authorize("work", "--grant", "full");
  const daemon = await qubes.startDaemon([AGENT, "work"]);
  const paths = dom0Paths(qubes.world.dom0Root);
  const runFolder = paths.adminRunFolder;
  await Deno.mkdir(runFolder, { recursive: true });
  const channel = createDaemonChannel(paths);
  const warn = (line: string): void => say(`${line}\n`);
  const admin = await startAdmin({ port, channel, runFolder, clock: realClock, warn });
  return {
    qubes,
    admin,
    newLogin: async (path) =>
      loginAddress(path, await makeTicket(runFolder)).replace(`:${PORT}/`, `:${admin.port}/`),
    async ask({ vm, words, input }) {
      const child = qubes.spawnClient(vm, words, input === undefined ? "null" : "piped");
      await finish(child, input);
    },
    async [Symbol.asyncDispose]() {
      await admin.close();
      channel.close();
      await daemon.stop();
      qubesd.kill("SIGTERM");
      await qubesd.status;
      await qubes[Symbol.asyncDispose]();
    },
  };
}

async function main(): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  say("A simulated Qubes is made; that takes some seconds.\n");
  await using sim = await startSimWeb(PORT);
  say(
    `\nOpen this in a browser of this machine, within a minute:\n\n  ${await sim.newLogin(
      "/",
    )}\n\nThe agent VM "${AGENT}" asks for something every ${
      ASK_EVERY_MS / 1000
    } s. Enter makes another login, Ctrl-C ends it.\n`,
  );
  void loginsOnEnter(sim);
  void askAgainAndAgain(sim, stop.signal);
  await aborted(stop.signal);
  return 0;
}

async function loginsOnEnter(sim: SimWeb): Promise<void> {
  for await (const _ of Deno.stdin.readable) say(`  ${await sim.newLogin("/")}\n`);
}

async function askAgainAndAgain({ ask }: SimWeb, until: AbortSignal): Promise<void> {
  const quietly = (wish: Wish): Promise<void> => ask(wish).catch(() => {}); // it ended before
  void FIRST.reduce((before, wish) => before.then(() => quietly(wish)), Promise.resolve());
  for (let turn = 0; !until.aborted; turn++) {
    const wish = WISHES[turn % WISHES.length];
    if (wish !== undefined) void quietly(wish);
    void quietly({ vm: "work", words: ["qvm-ls", "--raw-list"] });
    await pause(ASK_EVERY_MS, until);
  }
}

if (import.meta.main) Deno.exit(await main());
