// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The links to all VMs that may be served, kept equal to what the operator has set. A link ends in
 * its own time, for its VM is told what became of its commands first; no other VM waits for that,
 * and a new right for the same VM begins when the old one is over.
 *
 * @module
 */

import { errorText } from "../../shared/cli/program.ts";
import { serialised } from "../../shared/io/timing.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";
import type { Changes } from "../settings/settled_changes.ts";
import { isSameRight, type StoredKey } from "../settings/key_store.ts";
import type { RequestDesk } from "../judge/request_desk.ts";
import type { VmLink } from "./vm_link.ts";
import { windUp } from "../daemon/wind_up.ts";

export interface LinkSet {
  /** Opens, ends and replaces links until they are those of `keys`: new ones now, others soon. */
  follow(keys: ReadonlyMap<VmName, StoredKey>): void;
  /** Something changed where qrexec-daemon has its sockets. */
  socketsChanged(changes: Changes): void;
  all(): readonly VmLink[];
  stop(): Promise<void>;
}

export interface LinkSetOptions {
  readonly open: (vm: VmName, key: StoredKey) => VmLink;
  readonly desk: Pick<RequestDesk, "stop">;
  readonly audit: Audit;
  readonly onChange: () => void;
}

export function createLinkSet({ open, desk, audit, onChange }: LinkSetOptions): LinkSet {
  const links = new Map<VmName, VmLink>();
  const settling = new Map<VmName, () => Promise<void>>();
  let wanted: ReadonlyMap<VmName, StoredKey> = new Map();

  /** Its commands are killed now; nothing new is taken over it, for the desk asks for its key. */
  const end = async (link: VmLink): Promise<void> => {
    const { vm } = link;
    recordQuietly(audit, wanted.has(vm) ? "key-changed" : "revoked", { vm });
    await windUp(desk, "revoked", vm);
    await link.stop();
    links.delete(vm);
    onChange();
  };
  const settle = async (vm: VmName): Promise<void> => {
    const link = links.get(vm);
    if (link !== undefined && !isSameRight(link.key, wanted.get(vm))) await end(link);
    const key = wanted.get(vm); // as it is after that
    if (key === undefined || links.has(vm)) return;
    links.set(vm, open(vm, key));
    onChange();
  };
  const settleSoon = (vm: VmName): Promise<void> => {
    const known = settling.get(vm) ??
      serialised(() => settle(vm), (error) => console.error(`${vm}: ${errorText(error)}`));
    settling.set(vm, known);
    return known();
  };
  return {
    follow(keys) {
      wanted = keys;
      for (const vm of new Set([...links.keys(), ...keys.keys()])) settleSoon(vm);
    },
    socketsChanged({ names, incomplete }) {
      for (const [vm, link] of links) if (incomplete || names.has(`qrexec.${vm}`)) link.wake();
    },
    all: () => [...links.values()],
    async stop() {
      wanted = new Map();
      await Promise.all([...links.values()].map((link) => link.stop()));
    },
  };
}
