// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "make bench", the tunnel's part: the ways to a port of the agent VM side by side, in one run,
 * over one qrexec (tunnel_qrexec.ts says which). Prints a table, writes build/bench-tunnel.json.
 * Nothing is asserted: a goal is met or missed.
 *
 * @module
 */

import { writeAll } from "../../shared/cli/program.ts";
import { PROJECT } from "../e2e/program_flags.ts";
import type { FarEnd } from "./far-end.ts";
import { startReport } from "./measure.ts";
import { CAT_SERVICES } from "./tunnel_client.ts";
import {
  benchBulk,
  benchCall,
  benchChatBesideBulk,
  benchConnect,
  benchEvents,
  benchRequests,
  benchSockets,
  type Scene,
} from "./tunnel_parts.ts";
import { benchMemory } from "./tunnel_memory.ts";
import { benchQrexec, programScript } from "./tunnel_qrexec.ts";
import { hasSocat, loopbackWay, socatWay, tunnelWay, type Way } from "./tunnel_ways.ts";

const say = (text: string): void => writeAll(Deno.stdout, text);

async function main(): Promise<number> {
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "bench-tunnel-" });
  const far = await startFarEnd();
  const qrexec = benchQrexec(folder);
  const ways: Way[] = [];
  try {
    for (const [service, script] of Object.entries(CAT_SERVICES)) {
      qrexec.installProgram(`${service}+0`, script);
    }
    for (const port of [far.ports.raw, far.ports.http]) {
      const { PATH: _, ...env } = qrexec.env;
      const script = programScript("openclaw.Mux", env);
      qrexec.installProgram(`openclaw.Mux+${port}`, script);
      qrexec.allowPort(port);
    }
    const socat = hasSocat();
    if (!socat) {
      say("no socat here, so its rows are left out: apt-get install socat\n");
      if (qrexec.kind === "stand-in") {
        say("the stand-in for qrexec-client is made of it too: nothing can be measured\n");
        return 0;
      }
    }
    ways.push(loopbackWay(far.ports));
    if (socat) ways.push(await socatWay(qrexec, far.ports));
    for (const name of ["direct", "persistent"] as const) {
      ways.push(await tunnelWay(name, qrexec, far.ports, folder));
    }
    await measure({ qrexec, far: far.ports, ways, add: () => {} });
    return 0;
  } finally {
    for (const way of ways) await way.stop();
    await far.stop();
    qrexec.remove();
    await Deno.remove(folder, { recursive: true });
  }
}

async function measure(scene: Scene): Promise<void> {
  const { add, write } = startReport();
  const started = performance.now();
  const loadBefore = loadText();
  say(`qrexec: ${scene.qrexec.kind}; load ${loadBefore}\n`);
  const told = { ...scene, add };
  await benchCall(told);
  await benchConnect(told);
  await benchRequests(told);
  await benchEvents(told);
  await benchSockets(told);
  await benchMemory(told, "");
  await benchBulk(told);
  await benchChatBesideBulk(told);
  const kept = told.ways.filter(({ name }) => name === "persistent");
  await benchMemory({ ...told, ways: kept }, ", after downloads");
  const seconds = Math.round((performance.now() - started) / 1000);
  say(`${seconds} s; load ${loadText()}\n`);
  const file = scene.qrexec.kind === "real" ? "bench-tunnel-real.json" : "bench-tunnel.json";
  await write(file, { qrexec: scene.qrexec.kind, load: { before: loadBefore, after: loadText() } });
}

function loadText(): string {
  return Deno.loadavg().map((load) => load.toFixed(2)).join(" ");
}

async function startFarEnd(): Promise<{ readonly ports: FarEnd; stop(): Promise<void> }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", `${PROJECT}/tests/bench/far-end.ts`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  const ports: FarEnd = JSON.parse(value ?? "");
  return {
    ports,
    async stop() {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}

if (import.meta.main) Deno.exit(await main());
