// SPDX-License-Identifier: GPL-2.0-or-later
/** The links to all VMs that may be served, kept equal to what the operator has set. @module */

import { within } from "../../shared/io/timing.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { Audit } from "./audit_log.ts";
import type { Changes } from "./folder_watch.ts";
import type { StoredKey } from "./key_store.ts";
import type { RequestDesk } from "./request_desk.ts";
import type { VmLink } from "./vm_link.ts";

/** A VM that was revoked is given this long to fetch what became of its commands. */
const LAST_WORDS_MS = 1_000;

export interface LinkSet {
  /** Opens, ends and replaces links until they are those of `keys`. */
  follow(keys: ReadonlyMap<VmName, StoredKey>): Promise<void>;
  /** Something changed where qrexec-daemon has its sockets. */
  socketsChanged(changes: Changes): void;
  all(): readonly VmLink[];
  stop(): Promise<void>;
}

export function createLinkSet(
  open: (vm: VmName, key: StoredKey) => VmLink,
  desk: RequestDesk,
  audit: Audit,
): LinkSet {
  const links = new Map<VmName, VmLink>();

  const end = async (link: VmLink, newKey: StoredKey | undefined): Promise<void> => {
    const { vm } = link;
    links.delete(vm);
    desk.stopAll("interrupted", vm);
    audit.record(newKey === undefined ? "revoked" : "key-changed", { vm });
    // Its commands are killed now; their clients may still hear of it. Nothing new is taken.
    await within(LAST_WORDS_MS, desk.delivered(vm));
    await link.stop();
    if (newKey === undefined) desk.idle().then(() => desk.forgetVm(vm));
  };
  return {
    async follow(keys) {
      for (const link of [...links.values()]) {
        const key = keys.get(link.vm);
        const isSame = key?.key.fingerprint === link.key.key.fingerprint &&
          key.acceptsV1 === link.key.acceptsV1;
        if (!isSame) await end(link, key);
      }
      for (const [vm, key] of keys) if (!links.has(vm)) links.set(vm, open(vm, key));
    },
    socketsChanged({ names, incomplete }) {
      for (const [vm, link] of links) if (incomplete || names.has(`qrexec.${vm}`)) link.wake();
    },
    all: () => [...links.values()],
    async stop() {
      await Promise.all([...links.values()].map((link) => link.stop()));
    },
  };
}
