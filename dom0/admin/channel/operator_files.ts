// SPDX-License-Identifier: GPL-2.0-or-later
/** The operator's own files, asked of the daemon: rules, remote.conf, archives of both. @module */

import type { ArchiveChannel } from "./archive_channel.ts";
import type { ConfigChannel } from "./config_channel.ts";
import type { PolicyChannel } from "./policy_channel.ts";

type Order = Readonly<Record<string, unknown>>;

/** @param ask gives an order, and has its answer @param tell gives one that is done, or is refused */
export function askingFiles(
  ask: <T>(order: Order) => Promise<T>,
  tell: (order: Order) => Promise<void>,
): PolicyChannel & ConfigChannel & ArchiveChannel {
  return {
    policy: () => ask({ order: "policy" }),
    checkPolicy: (file, text) => ask({ order: "check-policy", file, text }),
    changePolicy: (wanted, by) => tell({ order: "change-policy", ...wanted, by }),
    policyChanges: () => ask({ order: "policy-changes" }),
    undoPolicy: (id, by) => ask({ order: "undo-policy", id, by }),
    explain: (vm, words, draft) =>
      ask({ order: "explain", vm, words, ...draft ?? { file: null, text: null } }),
    config: () => ask({ order: "config" }),
    checkConfig: (text) => ask({ order: "check-config", text }),
    changeConfig: (text, seen, by) => tell({ order: "change-config", text, seen, by }),
    undoConfig: (id, by) => ask({ order: "undo-config", id, by }),
    archives: () => ask({ order: "archives" }),
    makeArchive: (withKeys, by) => ask({ order: "make-archive", withKeys, by }),
    lookAtArchive: (name, withKeys) => ask({ order: "look-at-archive", name, withKeys }),
    takeInArchive: (name, withKeys, mark, by) =>
      ask({ order: "take-in-archive", name, withKeys, mark, by }),
    removeArchive: (name, by) => tell({ order: "remove-archive", name, by }),
  };
}
