// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Where everything is in the folder of a simulated world.
 *
 *     W/world.json             its VMs and their properties (world_config.ts)
 *     W/dom0/                  what QUBES_CLAW_ROOT is for programs of dom0
 *     W/dom0/run/qubes/        qrexec.<xid> sockets and qrexec.<VM> links
 *     W/bin/dom0/, W/bin/vm/   the programs that are found on PATH
 *     W/vms/<VM>/              what is inside one VM, and its state
 *
 * Paths of unix sockets end at 107 bytes, so a world belongs in a short folder.
 *
 * @module
 */

/** Paths that belong to the world or to its dom0. */
export interface WorldPaths {
  readonly config: string;
  readonly lock: string;
  /** Socket of what starts VMs; there is none in most worlds. */
  readonly qubesd: string;
  readonly dom0Root: string;
  readonly dom0Home: string;
  readonly socketDir: string;
  readonly dom0Bin: string;
  readonly vmBin: string;
}

/** @returns the paths of the world in `folder`. */
export function worldPaths(folder: string): WorldPaths {
  return {
    config: `${folder}/world.json`,
    lock: `${folder}/world.lock`,
    qubesd: `${folder}/qubesd`,
    dom0Root: `${folder}/dom0`,
    dom0Home: `${folder}/dom0/root`,
    socketDir: `${folder}/dom0/run/qubes`,
    dom0Bin: `${folder}/bin/dom0`,
    vmBin: `${folder}/bin/vm`,
  };
}

/** Paths that belong to one VM. */
export interface VmPaths {
  readonly root: string;
  readonly home: string;
  readonly log: string;
  /** Who plays this VM at the moment; there is no such file in a halted VM. */
  readonly domain: string;
  readonly lock: string;
  /** Sessions the agent has started, one "pid starttime" a line. */
  readonly sessions: string;
  readonly faults: string;
  /** Socket over which the agent is told that the faults changed. */
  readonly control: string;
  /** Folders of services, in the order in which they are searched. */
  readonly serviceDirs: readonly string[];
  readonly rpcConfigDirs: readonly string[];
}

/** @returns the paths of `vm` in the world in `folder`. */
export function vmPaths(folder: string, vm: string): VmPaths {
  const root = `${folder}/vms/${vm}`;
  return {
    root,
    home: `${root}/home/user`,
    log: `${root}/log`,
    domain: `${root}/domain.json`,
    lock: `${root}/lock`,
    sessions: `${root}/sessions`,
    faults: `${root}/faults.json`,
    control: `${root}/control`,
    serviceDirs: [
      `${root}/run/qubes-rpc`,
      `${root}/usr/local/etc/qubes-rpc`,
      `${root}/etc/qubes-rpc`,
    ],
    rpcConfigDirs: [
      `${root}/run/qubes/rpc-config`,
      `${root}/usr/local/etc/qubes/rpc-config`,
      `${root}/etc/qubes/rpc-config`,
    ],
  };
}
