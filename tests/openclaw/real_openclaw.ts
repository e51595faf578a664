// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The real OpenClaw, from the folder into which "make openclaw" installed it: its commands, and
 * its gateway in a home of its own, with all processes in one group so that none outlives a test.
 *
 * @module
 */

import { filledTemplate } from "../../vm/setup/fill_template.ts";

export const OPENCLAW_FOLDER = Deno.env.get("QUBES_CLAW_OPENCLAW") ??
  new URL("../../.cache/openclaw", import.meta.url).pathname;
const NODE = `${OPENCLAW_FOLDER}/node_modules/node/bin/node`;
const OPENCLAW = `${OPENCLAW_FOLDER}/node_modules/openclaw/openclaw.mjs`;
const TEMPLATES = new URL("../../vm/openclaw/", import.meta.url);

/** It takes 10 to 18 s on two idle cores; with others at work on them 70 s were seen. */
const START_MS = 180_000;
const STOP_MS = 20_000;
/** Longer than all tests together. */
const LONGEST_S = 1200;
/** OpenClaw waits for work under way before it ends, longer than a test does. */
const COMMAND_MS = 180_000;

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** ~/.openclaw as setup writes it: folder 0700, files 0600. */
export interface OpenClawHome extends AsyncDisposable {
  readonly home: string;
  readonly gatewayToken: string;
  readonly hooksToken: string;
  readonly gatewayPort: number;
  run(...args: readonly string[]): Promise<Finished>;
}

export interface HomeOptions {
  /** As "multi" of openclaw-multi.json. */
  readonly template: string;
  readonly proxyPort: number;
  readonly gatewayPort: number;
  /** What the test needs beside the template. */
  readonly change?: (config: Record<string, unknown>) => void;
}

export async function openClawHome(options: HomeOptions): Promise<OpenClawHome> {
  const home = await Deno.makeTempDir({ prefix: "openclaw-" });
  const [gatewayToken, hooksToken] = [randomHex(), randomHex()];
  await Deno.mkdir(`${home}/.openclaw`, { mode: 0o700 });
  await Deno.mkdir(`${home}/tmp`, { mode: 0o700 });
  const template = await Deno.readTextFile(new URL(`openclaw-${options.template}.json`, TEMPLATES));
  const config = JSON.parse(filledTemplate(template, {
    ...{ HOME: home, PROXY_PORT: options.proxyPort, GATEWAY_PORT: options.gatewayPort },
    HOOKS_TOKEN: hooksToken,
  }));
  options.change?.(config);
  const mode = { mode: 0o600 };
  await Deno.writeTextFile(`${home}/.openclaw/openclaw.json`, JSON.stringify(config), mode);
  await Deno.writeTextFile(`${home}/.openclaw/gateway-token`, `${gatewayToken}\n`, mode);
  return {
    ...{ home, gatewayToken, hooksToken, gatewayPort: options.gatewayPort },
    run: async (...args) => {
      const began = performance.now();
      const done = await new Deno.Command("timeout", {
        ...{ args: [`${COMMAND_MS / 1000}`, NODE, OPENCLAW, ...args], cwd: home },
        ...{ clearEnv: true, env: environment(home), stdin: "null" },
      }).output();
      const text = new TextDecoder();
      return {
        ...{ code: done.code, ms: Math.round(performance.now() - began) },
        ...{ stdout: text.decode(done.stdout), stderr: text.decode(done.stderr) },
      };
    },
    [Symbol.asyncDispose]: () => Deno.remove(home, { recursive: true }),
  };
}

export interface Gateway {
  readonly pid: number;
  readonly url: string;
  readonly startMs: number;
  output(): string;
  /** The processes of its group, helpers and all. */
  processes(): readonly number[];
  /** @returns its exit code; all of the group has ended */
  stop(): Promise<number>;
}

/** @param cgroup a folder of the memory controller which the gateway enters first */
export async function startGateway(place: OpenClawHome, cgroup: string | null): Promise<Gateway> {
  const began = performance.now();
  const enter = cgroup === null ? "" : `echo $$ >${cgroup}/cgroup.procs && `;
  const child = new Deno.Command("setsid", {
    // timeout(1), for a test that is killed itself ends nothing.
    args: [
      ...["sh", "-c", `${enter}exec timeout --foreground ${LONGEST_S} "$@"`, "sh"],
      ...[NODE, OPENCLAW, "gateway", "run"],
    ],
    ...{ cwd: place.home, clearEnv: true, env: environment(place.home) },
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  let said = "";
  const reading = [child.stdout, child.stderr].map(async (stream) => {
    const decoder = new TextDecoder();
    for await (const part of stream) said += decoder.decode(part, { stream: true });
  });
  const group = (): number[] => processesOfGroup(child.pid);
  const killAll = (): void => group().forEach((pid) => kill(pid, "SIGKILL"));
  globalThis.addEventListener("unload", killAll);
  let ended = false;
  const status = child.status.finally(() => ended = true);
  const url = `http://127.0.0.1:${place.gatewayPort}`;
  while (!await isReady(url)) {
    if (ended || performance.now() - began > START_MS) {
      killAll();
      throw new Error(`the gateway did not become ready:\n${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return {
    ...{ pid: child.pid, url, startMs: Math.round(performance.now() - began) },
    output: () => said,
    processes: group,
    async stop() {
      kill(child.pid, "SIGTERM");
      const timer = setTimeout(killAll, STOP_MS);
      const { code } = await status;
      for (let left = 50; group().length > 0 && left > 0; left--) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      clearTimeout(timer);
      const leftOver = group();
      killAll();
      await Promise.all(reading);
      globalThis.removeEventListener("unload", killAll);
      if (leftOver.length > 0) throw new Error(`outlived the gateway: ${leftOver.join(", ")}`);
      return code;
    },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) });
    const { ready } = await answer.json();
    return ready === true;
  } catch {
    return false;
  }
}

function environment(home: string): Record<string, string> {
  const path = `${OPENCLAW_FOLDER}/node_modules/node/bin:/usr/local/bin:/usr/bin:/bin`;
  return {
    ...{ HOME: home, PATH: path, TMPDIR: `${home}/tmp`, OPENCLAW_STATE_DIR: `${home}/.openclaw` },
    // Else each home would compile all of OpenClaw anew.
    NODE_COMPILE_CACHE: `${OPENCLAW_FOLDER}/compile-cache`,
  };
}

function processesOfGroup(group: number): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    if (!Number.isInteger(pid)) return false;
    try {
      const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
      const [state, , pgrp, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return state !== "Z" && (Number(pgrp) === group || Number(session) === group);
    } catch {
      return false; // it has just ended
    }
  });
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // it has ended
  }
}

function randomHex(): string {
  return [...crypto.getRandomValues(new Uint8Array(32))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A port that nobody listens on now: neither OpenClaw nor a restarted proxy can ask for port 0. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
