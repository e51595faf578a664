// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Starting, stopping and pausing VMs. The tests call this, and so do the qvm-*
 * programs of the simulated dom0: only where sim-qubesd.ts runs a process manages the world.
 *
 * @module
 */
import { OWN_NETWORK } from "./own_network.ts";
import { VM_MARK, WORLD_MARK } from "./environment.ts";
import { type Faults, writeFaults } from "./faults.ts";
import { readTextIfAny, removeIfAny } from "./files.ts";
import { denoRun } from "./launcher.ts";
import { vmPaths, worldPaths } from "./layout.ts";
import { SHUTDOWN_GRACE_MS } from "./limits.ts";
import { isAlive, killInside, processesInside, signalInside, signalProcess } from "./processes.ts";
import { type Domain, readDomain, setDomain, withdraw } from "./vm_domain.ts";
import { mountVolumes, runRcLocal } from "./vm_volumes.ts";
import { changeWorld, findVm, readWorld } from "./world_config.ts";

/** The VM is not in a state in which that can be done. The text is qubesd's. */
export class VmStateError extends Error {
  override readonly name = "VmStateError";
}

const POLL_MS = 5;
const AGENT = new URL("./vm-agent.ts", import.meta.url);
/** Starts the agent as an orphan, and waits for the line that says it is up. */
const START_SCRIPT =
  '{ "$@" 2>>"$SIM_LOG" </dev/null & } | { read -r line; test "$line" = ready; }';

/** Starts a halted VM; calls can be made to it when this returns. */
export async function startVm(folder: string, vm: string): Promise<void> {
  const path = worldPaths(folder).qubesd;
  if (!isSocket(path)) return await startVmHere(folder, vm);
  using connection = await Deno.connect({ transport: "unix", path });
  await connection.write(new TextEncoder().encode(vm));
  const answer = await new Response(connection.readable).text();
  if (answer !== "") throw new VmStateError(answer);
}

function isSocket(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSocket === true;
  } catch {
    return false;
  }
}

/** As a child of this process. */
export async function startVmHere(folder: string, vm: string): Promise<void> {
  const paths = vmPaths(folder, vm);
  await underLock(folder, vm, async () => {
    if (readDomain(folder, vm) !== undefined) {
      throw new VmStateError(`Domain is not powered off: '${vm}'`);
    }
    await cleanUp(folder, vm);
    await mountVolumes(folder, vm);
    const world = await changeWorld(folder, (now) => ({ ...now, nextXid: now.nextXid + 1 }));
    const { success } = await new Deno.Command("/bin/sh", {
      args: [
        "-c",
        START_SCRIPT,
        "sh",
        ...world.ownNetworks ? OWN_NETWORK : [],
        ...denoRun(world, AGENT),
        folder,
        vm,
        `${world.nextXid - 1}`,
      ],
      clearEnv: true,
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        DENO_DIR: world.denoDir,
        NO_COLOR: "1",
        SIM_LOG: paths.log,
        [WORLD_MARK]: folder,
        [VM_MARK]: vm,
      },
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).output();
    if (!success) throw new Error(`agent of "${vm}" failed: ${readTextIfAny(paths.log)}`);
    await runRcLocal(folder, vm);
  });
}

/** Kills everything in the VM at once, as destroying its domain does. */
export async function killVm(folder: string, vm: string): Promise<void> {
  await underLock(folder, vm, async () => {
    requireRunning(folder, vm);
    await cleanUp(folder, vm);
  });
}

/** Asks the VM to shut down and does not wait for it. */
export function requestShutdown(folder: string, vm: string): void {
  const domain = requireRunning(folder, vm);
  if (domain.isPaused) throw new VmStateError(`Domain is not running: '${vm}'`);
  signalProcess(domain.agentPid, "SIGTERM");
}

/** Shuts the VM down; returns when it is halted. */
export async function shutdownVm(folder: string, vm: string): Promise<void> {
  const domain = requireRunning(folder, vm);
  requestShutdown(folder, vm);
  while (isAlive(domain.agentPid, domain.agentStartTime)) await sleep(POLL_MS);
  await underLock(folder, vm, () => cleanUp(folder, vm));
}

/** What the agent does on SIGTERM: TERM to all, a while later KILL, then nothing is left. */
export async function shutDownFromInside(folder: string, vm: string): Promise<void> {
  const { sessions, domain } = vmPaths(folder, vm);
  const deadline = Date.now() + SHUTDOWN_GRACE_MS;
  signalInside("SIGTERM", folder, vm, sessions);
  while (processesInside(folder, vm, sessions).length > 0 && Date.now() < deadline) {
    await sleep(POLL_MS);
  }
  await killInside(folder, vm, sessions);
  const xid = readDomain(folder, vm)?.xid;
  if (xid !== undefined) withdraw(folder, vm, xid);
  removeIfAny(domain);
}

/** Stops the clock of the VM. */
export async function pauseVm(folder: string, vm: string): Promise<void> {
  await underLock(folder, vm, () => {
    const domain = requireRunning(folder, vm);
    if (domain.isPaused) throw new VmStateError(`Domain is not running: '${vm}'`);
    // Not the agent alone: nothing in the VM gets any CPU.
    signalInside("SIGSTOP", folder, vm, vmPaths(folder, vm).sessions);
    setDomain(folder, vm, { ...domain, isPaused: true });
  });
}

/** Lets a paused VM go on. */
export async function unpauseVm(folder: string, vm: string): Promise<void> {
  await underLock(folder, vm, () => {
    const domain = requireRunning(folder, vm);
    if (!domain.isPaused) throw new VmStateError(`Domain is not paused: '${vm}'`);
    setDomain(folder, vm, { ...domain, isPaused: false });
    signalInside("SIGCONT", folder, vm, vmPaths(folder, vm).sessions);
  });
}

/** Sets the faults of the VM; they hold when this returns, or once a paused VM goes on. */
export async function setFaults(folder: string, vm: string, faults: Faults): Promise<void> {
  writeFaults(folder, vm, faults);
  const domain = readDomain(folder, vm);
  if (domain === undefined) return;
  using conn = await Deno.connect({ transport: "unix", path: vmPaths(folder, vm).control });
  if (!domain.isPaused) await conn.read(new Uint8Array(1));
}

function requireRunning(folder: string, vm: string): Domain {
  const domain = readDomain(folder, vm);
  if (domain === undefined) throw new VmStateError(`Domain is powered off: '${vm}'`);
  return domain;
}

/** Ends what there is of the VM, also of one whose agent has crashed. */
async function cleanUp(folder: string, vm: string): Promise<void> {
  const paths = vmPaths(folder, vm);
  const text = readTextIfAny(paths.domain);
  if (text !== undefined) {
    const domain: Domain = JSON.parse(text);
    // The relay goes first: otherwise it would report how the processes died.
    if (isAlive(domain.agentPid, domain.agentStartTime)) signalProcess(domain.agentPid, "SIGKILL");
    withdraw(folder, vm, domain.xid);
  }
  await killInside(folder, vm, paths.sessions);
  for (const path of [paths.domain, paths.sessions, paths.control]) removeIfAny(path);
}

async function underLock<T>(
  folder: string,
  vm: string,
  run: () => T | Promise<T>,
): Promise<T> {
  if (findVm(readWorld(folder), vm) === undefined) throw new Error(`no VM "${vm}"`);
  using lock = await Deno.open(vmPaths(folder, vm).lock, { create: true, write: true });
  await lock.lock(true);
  return await run();
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
