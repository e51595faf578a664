// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A simulated Qubes with this project's programs in it, as "make install-*" would put them:
 * the scripts by "deno run" with their exact permissions, or, when QVM_REMOTE_BUILT names the
 * build folder, the compiled and bundled programs themselves.
 *
 * @module
 */

import { freshCgroup } from "../cgroup.ts";
import { until as waitUntil } from "../until.ts";
import { createWorld, type VmOptions, type World } from "../sim/world.ts";
import { builtText, replaced } from "./launcher_text.ts";
import { sourceLauncher } from "./program_flags.ts";
import { writeExecutable } from "../executable.ts";

const BUILT = Deno.env.get("QVM_REMOTE_BUILT");
const SOURCES = {
  "qvm-remote-dom0": "dom0/qvm-remote-dom0.ts",
  "setup-dom0": "dom0/setup-dom0.ts",
  "qvm-remote": "vm/qvm-remote.ts",
  "qvm-remote-mcp": "vm/qvm-remote-mcp.ts",
  "qvmremote.Queue": "vm/qvmremote.Queue.ts",
} as const;
type RemoteProgram = keyof typeof SOURCES;
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const START_LIMIT_MS = 60_000;

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Daemon {
  readonly child: Deno.ChildProcess;
  readonly pid: number;
  /** SIGTERM, and its end. @returns the exit code */
  stop(): Promise<number>;
  kill(): Promise<void>;
  /** What it printed so far, on both streams. */
  said(): string;
}

export interface Installed extends AsyncDisposable {
  readonly world: World;
  /** What gives the daemon a cgroup of this world's own, or on a machine without one does without. */
  readonly groupWords: readonly string[];
  /** Starts the daemon, with groupWords or --no-cgroup; resolves when the VMs named are connected. */
  startDaemon(connected: readonly string[], ...words: string[]): Promise<Daemon>;
  /** An operator's command in dom0. */
  dom0(words: readonly string[], input?: string): Promise<Finished>;
  spawnDom0(words: readonly string[], env?: Record<string, string>): Deno.ChildProcess;
  /** The client in a VM. */
  client(vm: string, words: readonly string[], input?: string | Uint8Array): Promise<Finished>;
  spawnClient(vm: string, words: readonly string[], stdin?: "piped" | "null"): Deno.ChildProcess;
  /** A key in the VM, and the VM authorised with it: for everything, if no --grant is given. */
  authorize(vm: string, ...options: string[]): Promise<void>;
  /** More lines of remote.conf. */
  configure(lines: readonly string[]): Promise<void>;
}

export async function install(vms: readonly VmOptions[], folder?: string): Promise<Installed> {
  const denoFolder = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  const place = folder ?? await Deno.makeTempDir({ dir: "/tmp", prefix: "qsim-" });
  const lib = `${place}/lib`;
  const world = await createWorld({
    vms,
    folder: place,
    extraEnv: { DENO_DIR: denoFolder },
  });
  const put = (program: RemoteProgram, path: string): void =>
    writeExecutable(path, launcher(program, lib));
  put("qvm-remote", `${world.vmBin}/qvm-remote`);
  await Deno.mkdir(lib, { recursive: true });
  put("qvm-remote-mcp", `${lib}/qvm-remote-mcp`);
  put("qvm-remote-dom0", `${world.dom0Bin}/qvm-remote-dom0`);
  for (const { name } of vms) {
    put("qvmremote.Queue", `${world.vmRoot(name)}/etc/qubes-rpc/qvmremote.Queue`);
  }
  const confFile = `${world.dom0Root}/etc/qubes/remote.conf`;
  await Deno.mkdir(`${world.dom0Root}/etc/qubes`, { recursive: true });
  await Deno.writeTextFile(confFile, `QVM_REMOTE_PATH="${world.dom0Bin}:${SYSTEM_PATH}"\n`);

  const cgroup = freshCgroup();
  const groupWords = cgroup === null ? ["--no-cgroup"] : ["--cgroup", cgroup.folder];
  const spawnDom0: Installed["spawnDom0"] = (words, env = {}) =>
    new Deno.Command(`${world.dom0Bin}/qvm-remote-dom0`, {
      args: [...words],
      clearEnv: true,
      env: { ...world.dom0Env(), ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  const dom0: Installed["dom0"] = (words, input = "") => finish(spawnDom0(words), input);
  const spawnClient: Installed["spawnClient"] = (vm, words, stdin = "null") =>
    // dom0 may be slow to connect where all tests run at once.
    world.runInVm(vm, [`${world.vmBin}/qvm-remote`, "--connect-timeout", "600", ...words], {
      stdin,
      stdout: "piped",
      stderr: "piped",
    });
  const client: Installed["client"] = (vm, words, input) =>
    input === undefined
      ? finish(spawnClient(vm, words))
      : finish(spawnClient(vm, words, "piped"), input);
  return {
    world,
    dom0,
    spawnDom0,
    client,
    spawnClient,
    groupWords,
    startDaemon(connected, ...words) {
      const own = words.includes("--no-cgroup") ? [] : groupWords;
      return startDaemon(world, spawnDom0([...own, ...words]), connected);
    },
    async authorize(vm, ...options) {
      await expectGood(client(vm, ["key", "gen"]));
      const key = await expectGood(client(vm, ["key", "show"]));
      const grant = options.includes("--grant") ? [] : ["--grant", "full"];
      await expectGood(dom0(["authorize", ...grant, ...options, vm], key.stdout));
    },
    async configure(lines) {
      await Deno.writeTextFile(confFile, lines.map((line) => `${line}\n`).join(""), {
        append: true,
      });
    },
    async [Symbol.asyncDispose]() {
      await world.dispose();
      await cgroup?.remove();
    },
  };
}

/** What "make" would install under that name. */
function launcher(program: RemoteProgram, lib: string): string {
  const place = program === "qvm-remote-dom0" ? "dom0" : "vm";
  return BUILT === undefined
    ? replaced(sourceLauncher(program, SOURCES[program]), "lib=/nowhere", `lib=${lib}`)
    : builtText(`${BUILT}/${place}/${program}`, lib);
}

async function startDaemon(
  world: World,
  child: Deno.ChildProcess,
  connected: readonly string[],
): Promise<Daemon> {
  await child.stdin.close();
  const output = drain(child);
  const daemon: Daemon = {
    child,
    pid: child.pid,
    said: () => output.text(),
    async stop() {
      child.kill("SIGTERM");
      return (await child.status).code;
    },
    async kill() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
  let ended = false;
  child.status.then(() => ended = true);
  for (const deadline = Date.now() + START_LIMIT_MS;;) {
    const state = readState(world);
    const isThere = (vm: string): boolean =>
      state?.vms.some((known) => known.vm === vm && known.state === "connected") ?? false;
    if (state?.pid === child.pid && connected.every(isThere)) return daemon;
    if (ended || Date.now() > deadline) {
      if (!ended) child.kill("SIGKILL");
      await output.ended;
      throw new Error(`the daemon did not connect to ${connected}: ${output.text()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface Drained {
  readonly ended: Promise<unknown>;
  text(): string;
}

/** Both streams, read so that the daemon never waits. */
function drain(child: Deno.ChildProcess): Drained {
  const texts: string[] = [];
  const ended = Promise.all([child.stdout, child.stderr].map(async (stream) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) texts.push(part);
  }));
  return { ended, text: () => texts.join("") };
}

export interface SeenState {
  readonly pid: number;
  readonly startedAt: string;
  readonly lockdown: boolean;
  readonly vms: readonly {
    readonly vm: string;
    readonly state: string;
    readonly open: readonly string[];
    readonly kept: number;
    readonly lastEnd: string | null;
  }[];
}

/** What the daemon says it does; null when it has said nothing. */
export function readState(world: World): SeenState | null {
  try {
    return JSON.parse(Deno.readTextFileSync(`${world.dom0Root}/run/qvm-remote/state.json`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

export interface AuditRecord {
  readonly event: string;
  readonly vm?: string;
  readonly id?: string;
  readonly reason?: string;
  readonly [field: string]: unknown;
}

/** The audit as it is now, up to its last whole line. */
export function readAudit(world: World): readonly AuditRecord[] {
  const text = Deno.readTextFileSync(`${world.dom0Root}/var/log/qubes/qvm-remote.audit.jsonl`);
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

export async function finish(
  child: Deno.ChildProcess,
  input?: string | Uint8Array,
): Promise<Finished> {
  const writing = input === undefined ? Promise.resolve() : write(child, input);
  const { code, stdout, stderr } = await child.output();
  await writing;
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

async function write(child: Deno.ChildProcess, input: string | Uint8Array): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    await writer.close();
  } catch {
    // it did not read all of it
  }
}

async function expectGood(run: Promise<Finished>): Promise<Finished> {
  const finished = await run;
  if (finished.code === 0) return finished;
  throw new Error(`exit ${finished.code}: ${finished.stdout}${finished.stderr}`);
}

/** As the other one; whole programs start here, so it waits longer. */
export function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  maxMs = 60_000,
): Promise<void> {
  return waitUntil(what, isTrue, maxMs);
}
