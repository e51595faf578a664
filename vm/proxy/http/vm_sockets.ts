// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One Unix socket for each VM that proxy.json knows, so that the proxy can tell who asks: behind
 * a TCP port every caller of a tunnel looks the same.
 *
 *     agent VM          qrexec                      key qube
 *     tunnel ---------> service of the port ------> vm-sockets/CALLER.sock ---> proxy
 *                       CALLER is qrexec's word,
 *                       never the caller's
 *
 * A VM without a client has no socket, and so no way in. The folder is the user's alone. It lies
 * in the home because the services of qrexec always know that, but not XDG_RUNTIME_DIR.
 *
 * @module
 */

import { ifPresent } from "../../../shared/io/files.ts";
import { errorText } from "../../../shared/cli/program.ts";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import type { Config } from "../config/config.ts";
import type { Log } from "../books/log.ts";

/** Below the home; the script that openclaw-ports writes has it, too. */
export const SOCKETS_IN_HOME = ".openclaw/vm-sockets";

export function socketFolder(home: string): string {
  return `${home}/${SOCKETS_IN_HOME}`;
}

export function socketPath(folder: string, vm: VmName): string {
  return `${folder}/${vm}.sock`;
}

/**
 * Whether this Deno wants sockets named in --allow-net. An older one (2.4) does not know the word,
 * and takes leave to read and write the folder for enough.
 */
export function areSocketsNamed(): boolean {
  try {
    Deno.permissions.querySync({ name: "net", host: "unix:/run/some.sock" });
    return true;
  } catch {
    return false;
  }
}

/** Each once. */
export function vmsOf({ clients }: Config): readonly VmName[] {
  return [...new Set(clients.flatMap(({ vm }) => vm === null ? [] : [vm]))];
}

export interface VmSockets {
  /** Opens and closes, so that just these VMs have one. What runs goes on. Never throws. */
  apply(vms: readonly VmName[]): Promise<void>;
  /** Resolves when what runs has ended. */
  close(): Promise<void>;
}

export interface SocketServer {
  shutdown(): Promise<void>;
}

export function createVmSockets(
  folder: string,
  serve: (path: string, vm: VmName) => SocketServer,
  log: Log,
): VmSockets {
  const open = new Map<VmName, SocketServer>();
  const closing = new Set<Promise<void>>();
  let last: Promise<void> = Promise.resolve();

  const drop = (vm: VmName, server: SocketServer): void => {
    open.delete(vm);
    const ended = server.shutdown().catch(() => {});
    closing.add(ended);
    ended.then(() => closing.delete(ended));
  };
  const start = async (vm: VmName): Promise<void> => {
    const path = socketPath(folder, vm);
    try {
      await ifPresent(Deno.remove(path)); // of a proxy that was killed
      const server = serve(path, vm);
      open.set(vm, server);
      await Deno.chmod(path, 0o600);
      log("info", "a VM is let in", { vm });
    } catch (error) {
      const needsStart = error instanceof Deno.errors.NotCapable;
      const text = needsStart
        ? "restart the proxy: it may not open a new socket"
        : errorText(error);
      log("error", "a VM is not let in", { vm, text });
    }
  };
  const apply = async (vms: readonly VmName[]): Promise<void> => {
    for (const [vm, server] of [...open]) if (!vms.includes(vm)) drop(vm, server);
    if (vms.length === 0) return;
    try {
      await makeFolder(folder);
    } catch (error) {
      return log("error", "no VM is let in", { text: errorText(error) });
    }
    for (const vm of vms) if (!open.has(vm)) await start(vm);
  };
  return {
    apply: (vms) => last = last.then(() => apply(vms)),
    async close() {
      await last;
      for (const [vm, server] of [...open]) drop(vm, server);
      await Promise.all(closing);
    },
  };
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    const info = await Deno.lstat(folder);
    if (!info.isDirectory) throw new Error(`${folder} is no folder`);
    await Deno.chmod(folder, 0o700);
  }
}
