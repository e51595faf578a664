// SPDX-License-Identifier: GPL-2.0-or-later
/** remote.conf of the dom0 in memory. @module */

import type { ConfigChannel } from "../../../dom0/admin/channel/config_channel.ts";
import { Dom0Error } from "../../../dom0/admin/channel/dom0_channel.ts";
import type { PolicyChangeNow } from "../../../dom0/admin/channel/policy_channel.ts";
import { configProblems } from "../../../dom0/operator/config_file.ts";
import { markOf } from "../../../dom0/operator/policy_files.ts";

interface ConfigParts {
  config: string;
  configChanges: PolicyChangeNow[];
}

export function fakeConfig(
  dom0: ConfigParts,
  did: (what: string, by: string) => void,
  timeMs: number,
): ConfigChannel {
  const change = (text: string, by: string): string => {
    const before = dom0.config;
    const id = `20261128-143140-1-0000000${dom0.configChanges.length + 1}`;
    dom0.config = text;
    const made = { id, timeMs, by, file: "remote.conf", before, after: text, isUndone: false };
    dom0.configChanges = [{ ...made, now: text }, ...dom0.configChanges];
    did("save remote.conf", by);
    return id;
  };
  return {
    config: () =>
      Promise.resolve({
        path: "/etc/qubes/remote.conf",
        text: dom0.config,
        mark: markOf(dom0.config),
        problems: configProblems(dom0.config),
        changes: dom0.configChanges.map((one) => ({ ...one, now: dom0.config })),
      }),
    checkConfig: (text) => Promise.resolve(configProblems(text)),
    async changeConfig(text, seen, by) {
      if (markOf(dom0.config) !== seen) throw new Dom0Error("remote.conf was changed meanwhile");
      await Promise.resolve(change(text, by));
    },
    async undoConfig(id, by) {
      const done = dom0.configChanges.find((one) => one.id === id);
      if (done === undefined) throw new Dom0Error("it is no longer kept");
      const undoing = change(done.before ?? "", by);
      dom0.configChanges = dom0.configChanges.map((one) =>
        one.id === id ? { ...one, isUndone: true } : one
      );
      return await Promise.resolve({ id: undoing });
    },
  };
}
