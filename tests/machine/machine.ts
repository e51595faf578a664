// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A machine that boots: systemd as pid 1 of its own namespaces, on this kernel.
 *
 *     await using machine = await bootMachine();
 *     await machine.good("systemctl start some.service");
 *     await machine.reboot();
 *
 * It is real but for its kernel, which is the host's: no modules, no sysctl, and of cgroup 2 the
 * controllers that the host has there. Its end is keep-machine's task, so nothing is left of it
 * whatever becomes of the test.
 *
 * @module
 */

import { machineRoot } from "./machine_root.ts";

const HERE = new URL(".", import.meta.url).pathname;

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** "user" has a session of its own only where something opened one. */
  readonly user?: "root" | "user";
  readonly input?: string;
}

/** Where commands can be run. */
export interface Shell {
  /** Runs a script of bash. */
  run(script: string, options?: RunOptions): Promise<Finished>;
  /** The same. @returns what it printed @throws {Error} if it did not exit with 0 */
  good(script: string, options?: RunOptions): Promise<string>;
  /** Runs it again and again until it exits with 0. @throws {Error} if that takes minutes */
  until(script: string, options?: RunOptions): Promise<void>;
}

export interface Machine extends Shell, AsyncDisposable {
  /** Its file system, seen from here. Another path after each boot. */
  root(): string;
  /** Starts a script of bash in it. */
  spawn(script: string, options?: Pick<RunOptions, "user">): Deno.ChildProcess;
  /** Returns when commands can be run again. */
  reboot(): Promise<void>;
  powerOff(): Promise<void>;
  powerOn(): Promise<void>;
  /** Writes its file system into an image, for a kernel of its own; the machine is off. */
  pack(image: string): Promise<void>;
}

/** A file or folder of this machine that is there, too, and cannot be written to. */
export interface Bind {
  readonly from: string;
  readonly to: string;
}

export interface MachineOptions {
  readonly binds?: readonly Bind[];
}

/** Boots one; it takes commands when this returns. */
export async function bootMachine({ binds = [] }: MachineOptions = {}): Promise<Machine> {
  const lower = await machineRoot();
  const cgroups = await cgroupMount();
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "qmachine-" });
  const cgroup = `${cgroups}/machine-${folder.slice(folder.lastIndexOf("/") + 1)}`;
  const bound = binds.map(({ from, to }) => `${from}:${to}`);
  const keeper = startKeeper(folder, [lower, folder, cgroup, ...bound]);
  let pid = 0;

  const end = async (verb: "reboot" | "poweroff", code: number): Promise<void> => {
    await machine.run(`systemctl ${verb}`);
    const ended = Number(await keeper.expect("ended"));
    if (ended !== code) throw new Error(`${verb} ended the machine with ${ended}, not ${code}`);
  };
  const machine: Machine = {
    root: () => `/proc/${pid}/root`,
    spawn: (script, { user = "root" } = {}) => spawnInside(pid, cgroup, script, user, "null"),
    async run(script, { user = "root", input } = {}) {
      const stdin = input === undefined ? "null" : "piped";
      return await finish(spawnInside(pid, cgroup, script, user, stdin), input);
    },
    good: (script, options) => expectGood(machine, script, options),
    until: (script, options) => waitUntil(machine, script, options),
    async powerOn() {
      await keeper.powerOn();
      const unshare = await keeper.expect("started");
      await keeper.expect("booted");
      const children = await Deno.readTextFile(`/proc/${unshare}/task/${unshare}/children`);
      pid = Number(children.trim());
      // Commands from outside live in a cgroup of their own, beside those of systemd.
      await Deno.mkdir(`${cgroup}/test`, { recursive: true });
      await machine.run("systemctl is-system-running --wait"); // "degraded" is the test's business
    },
    async reboot() {
      await end("reboot", 128 + 1); // the kernel ends pid 1 of a namespace by SIGHUP, or SIGINT
      await machine.powerOn();
    },
    powerOff: () => end("poweroff", 128 + 2),
    async pack(image) {
      const args = [lower, folder, image, ...bound];
      const { code, stderr } = await new Deno.Command(`${HERE}/pack-machine`, { args }).output();
      if (code !== 0) throw new Error(`pack-machine: ${new TextDecoder().decode(stderr)}`);
    },
    [Symbol.asyncDispose]: keeper.end,
  };
  try {
    await machine.powerOn();
  } catch (error) {
    await keeper.end();
    throw error;
  }
  return machine;
}

interface Keeper {
  powerOn(): Promise<void>;
  /** @returns what it says after the word @throws {Error} if it says another one */
  expect(word: string): Promise<string>;
  /** Ends the machine; returns when nothing is left of it. */
  end(): Promise<void>;
}

function startKeeper(folder: string, args: readonly string[]): Keeper {
  const keeper = new Deno.Command(`${HERE}/keep-machine`, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    detached: true, // not ended together with us by a terminal's SIGINT: it cleans up
  }).spawn();
  const writer = keeper.stdin.getWriter();
  const events = keeper.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(lines())
    .getReader();
  return {
    powerOn: () => writer.write(new TextEncoder().encode("on\n")),
    async expect(word) {
      const { value = "nothing more" } = await events.read();
      const [event, detail = ""] = value.split(" ");
      if (event === word) return detail;
      throw new Error(`the machine should have ${word}, but said "${value}"\n${journal(folder)}`);
    },
    async end() {
      await writer.close();
      while (!(await events.read()).done); // it says nothing more when everything is gone
      await keeper.status;
    },
  };
}

/** Starts a script of bash in the namespaces of that pid, and in a cgroup of the machine. */
function spawnInside(
  pid: number,
  cgroup: string,
  script: string,
  user: "root" | "user",
  stdin: "piped" | "null",
): Deno.ChildProcess {
  const root = `/proc/${pid}/root`;
  return new Deno.Command("bash", {
    args: [
      ...["-c", 'echo 0 >"$0/cgroup.procs"; exec "$@"', `${cgroup}/test`],
      ...["nsenter", `--target=${pid}`, "--mount", "--pid", "--net", "--uts", "--ipc"],
      ...["--cgroup", `--root=${root}`, `--wd=${root}`, "--"],
      ...[...inEnvironmentOf(user), "bash", "-c", script],
    ],
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function finish(child: Deno.ChildProcess, input: string | undefined): Promise<Finished> {
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** @throws {Error} if it did not exit with 0 */
export async function expectGood(
  shell: Pick<Shell, "run">,
  script: string,
  options?: RunOptions,
): Promise<string> {
  const { code, stdout, stderr } = await shell.run(script, options);
  if (code === 0) return stdout;
  const journal = await shell.run(
    "journalctl --boot --lines=30 --no-pager --output=short-monotonic",
  );
  throw new Error(`exit ${code}: ${script}\n${stdout}${stderr}\n${journal.stdout}`);
}

/** Long, for machines that have much else to do: a test fails by what it sees, not by this. */
const MAX_WAIT_S = 180;

export async function waitUntil(
  shell: Pick<Shell, "run">,
  script: string,
  options?: RunOptions,
): Promise<void> {
  const loop = `end=$((SECONDS + ${MAX_WAIT_S})); while [ $SECONDS -lt $end ]; do
    if (${script}) >/dev/null 2>&1; then exit 0; fi; sleep 0.1; done; exit 1`;
  const { code } = await shell.run(loop, options);
  if (code !== 0) throw new Error(`waited ${MAX_WAIT_S} s in vain: ${script}`);
}

function inEnvironmentOf(user: "root" | "user"): string[] {
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const common = [path, "LANG=C.UTF-8", "SHELL=/bin/bash"];
  if (user === "root") return ["env", "-i", ...common, "HOME=/root", "USER=root"];
  const own = ["HOME=/home/user", "USER=user", "XDG_RUNTIME_DIR=/run/user/1000"];
  return [
    ...["setpriv", "--reuid=user", "--regid=user", "--init-groups", "--", "env", "-i"],
    ...[...common, ...own, "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus"],
  ];
}

async function cgroupMount(): Promise<string> {
  const mounts = (await Deno.readTextFile("/proc/mounts")).split("\n").map((line) =>
    line.split(" ")
  );
  const path = mounts.find(([, , type]) => type === "cgroup2")?.[1];
  if (path === undefined) throw new Error("no cgroup 2 is mounted on this machine");
  return path;
}

/** What the machine had to say, for the message of a failure. */
function journal(folder: string): string {
  const { stdout } = new Deno.Command("journalctl", {
    args: ["--directory", `${folder}/upper/var/log/journal`, "--lines=80", "--no-pager"],
    stderr: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout);
}

export function lines(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(part, controller) {
      const whole = (rest + part).split("\n");
      rest = whole.pop() ?? "";
      for (const line of whole) controller.enqueue(line);
    },
  });
}
