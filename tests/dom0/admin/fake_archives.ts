// SPDX-License-Identifier: GPL-2.0-or-later
/** Archives of the configuration of the dom0 in memory. @module */

import type { ArchiveChannel } from "../../../dom0/admin/channel/archive_channel.ts";
import { Dom0Error } from "../../../dom0/admin/channel/dom0_channel.ts";
import type { ArchiveHead, ArchiveLook } from "../../../dom0/operator/config_archives.ts";

interface ArchiveParts {
  archives: ArchiveHead[];
  /** What taking any of them in would change. */
  archiveLook: ArchiveLook;
}

export const ARCHIVE_LOOK: ArchiveLook = {
  items: [
    {
      what: "policy",
      name: "30-research.policy",
      before: "@monitor research @tag:ai allow\n@manage research @tag:ai ask\n",
      after: "@monitor research @tag:ai allow\n",
    },
    { what: "key", name: "research", before: null, after: "0f1e-2d3c-4b5a-6978" },
  ],
  same: 3,
  stays: ["40-new.policy"],
  mark: "0f".repeat(16),
};

export function fakeArchives(
  dom0: ArchiveParts,
  did: (what: string, by: string) => void,
  nowMs: number,
): ArchiveChannel {
  return {
    archives: () =>
      Promise.resolve({ folder: "/var/lib/qvm-remote/archives", archives: dom0.archives }),
    makeArchive(hasKeys, by) {
      const name = `config-20261128-13314${dom0.archives.length}.json`;
      dom0.archives = [{ name, madeMs: nowMs, hasKeys, bytes: 4_000 }, ...dom0.archives];
      did(`archive${hasKeys ? " with keys" : ""}`, by);
      return Promise.resolve({ name });
    },
    lookAtArchive: (name, withKeys) =>
      dom0.archives.some((one) => one.name === name)
        ? Promise.resolve({
          ...dom0.archiveLook,
          items: dom0.archiveLook.items.filter(({ what }) => withKeys || what !== "key"),
        })
        : Promise.reject(new Dom0Error(`there is no archive ${name}`)),
    takeInArchive(name, withKeys, mark, by) {
      if (mark !== dom0.archiveLook.mark) {
        return Promise.reject(new Dom0Error("what is there changed meanwhile"));
      }
      did(`take in ${name}${withKeys ? " with keys" : ""}`, by);
      return Promise.resolve({ before: "config-20261128-133149.json" });
    },
    async removeArchive(name, by) {
      if (!dom0.archives.some((one) => one.name === name)) {
        throw new Dom0Error(`there is no archive ${name}`);
      }
      dom0.archives = dom0.archives.filter((one) => one.name !== name);
      await Promise.resolve(did(`remove ${name}`, by));
    },
  };
}
