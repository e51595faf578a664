// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The ways from a loopback port of dom0 to a port of the VM that are compared: none at all, socat
 * with EXEC: as the original had it, the tunnel with a call for each connection, the tunnel with
 * one stream for all.
 *
 * socat's EXEC: is qrexec-client itself; the original's helper script would cost it a shell more.
 *
 * @module
 */

import { freePort } from "../e2e/free_port.ts";
import type { FarEnd } from "./far-end.ts";
import { type BenchQrexec, programScript } from "./tunnel_qrexec.ts";
import { writeExecutable } from "../executable.ts";

export type WayName = "loopback" | "socat" | "direct" | "persistent";

/** As they are printed. */
export const WAY_TEXT: Readonly<Record<WayName, string>> = {
  loopback: "plain loopback",
  socat: "socat EXEC:",
  direct: "direct mode",
  persistent: "persistent mode",
};

export interface Way {
  readonly name: WayName;
  /** Where the far end's ports are reached. */
  readonly raw: number;
  readonly http: number;
  /** What carries it: these and all they started. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** Debian's and any other. */
export function hasSocat(): boolean {
  try {
    return new Deno.Command("socat", { args: ["-V"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

export function loopbackWay(far: FarEnd): Way {
  return { name: "loopback", ...far, pids: [], stop: () => Promise.resolve() };
}

export async function socatWay(qrexec: BenchQrexec, far: FarEnd): Promise<Way> {
  const listen = async (remote: number) => {
    const port = freePort();
    const call = `qrexec-client -d ${qrexec.vm} "DEFAULT:QUBESRPC qubes.ConnectTCP+${remote} dom0"`;
    const child = new Deno.Command("socat", {
      args: [`TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr`, `EXEC:'${call}'`],
      clearEnv: true,
      env: { ...qrexec.env },
      stdin: "null",
    }).spawn();
    await listening(port);
    return { port, child };
  };
  const [raw, http] = [await listen(far.raw), await listen(far.http)];
  return {
    name: "socat",
    ...{ raw: raw.port, http: http.port, pids: [raw.child.pid, http.child.pid] },
    async stop() {
      for (const { child } of [raw, http]) await end(child);
    },
  };
}

export async function tunnelWay(
  name: "direct" | "persistent",
  qrexec: BenchQrexec,
  far: FarEnd,
  folder: string,
): Promise<Way> {
  const [raw, http] = [freePort(), freePort()];
  const program = `${folder}/openclaw-tunnel-${name}`;
  const { PATH: _, ...env } = qrexec.env;
  const state = { RUNTIME_DIRECTORY: `${folder}/run/openclaw/${name}` };
  const script = programScript("openclaw-tunnel", { ...env, ...state });
  writeExecutable(program, script);
  const mode = name === "direct" ? ["--direct"] : [];
  const ports = ["--listen", `${raw}:${far.raw}`, "--listen", `${http}:${far.http}`];
  const child = new Deno.Command(program, {
    args: ["--vm", qrexec.vm, ...mode, ...ports],
    clearEnv: true,
    env: { ...qrexec.env },
    stdin: "null",
    stdout: "null",
  }).spawn();
  for (const port of [raw, http]) await listening(port);
  return {
    ...{ name, raw, http, pids: [child.pid] },
    stop: () => end(child),
  };
}

async function end(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGTERM");
  } catch {
    // it has ended
  }
  await child.status;
}

const LISTEN_LIMIT_MS = 15_000;

async function listening(port: number): Promise<void> {
  for (const deadline = Date.now() + LISTEN_LIMIT_MS;;) {
    try {
      return (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
