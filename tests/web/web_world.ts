// SPDX-License-Identifier: GPL-2.0-or-later
/** What the browser's tests look at: a busy dom0, an empty one, one full of hostile text. @module */

import type { FakeDom0 } from "../dom0/admin/fake_channel.ts";
import { fakeParked, fakeQube, fakeRecord } from "../dom0/admin/fake_channel.ts";

/** Every page, by the name of its screenshots. */
export const PAGES: readonly (readonly [name: string, path: string])[] = [
  ["dashboard", "/"],
  ["approvals", "/approvals"],
  ["approval-shell", "/approvals/work/20261128-143000-7-00000002"],
  ["approval-destroys", "/approvals/research/20261128-142800-8-00000003"],
  ["logs", "/logs"],
  ["journal", "/logs/journal"],
  ["undo", "/undo"],
  ["qubes", "/qubes"],
  ["qube", "/qubes/work?edit=maxmem"],
  ["network", "/network"],
  ["execute", "/execute?operation=vm.create"],
  ["keys", "/keys"],
  ["keys-authorize", "/keys/authorize?vm=work"],
  ["policy", "/policy?vm=research&words=qvm-kill+ai-build-1"],
  ["qrexec", "/qrexec"],
  ["staged", "/staged"],
  ["global", "/global"],
  ["sessions", "/sessions"],
  ["lockdown", "/lockdown"],
];

export function makeBusy(dom0: FakeDom0, nowMs: number): void {
  dom0.now = {
    ...dom0.now,
    parked: [
      fakeParked(),
      fakeParked({
        ...{ vm: "work", id: "20261128-143000-7-00000002", operation: "shell", level: "full" },
        ...{ isScript: true, targets: [null], why: null, preview: null, canBeUndone: false },
        runs: [
          "#!/bin/bash",
          "set -e",
          "for qube in $(qvm-ls --raw-list); do",
          '  echo "$qube"',
          "done",
        ],
        parkedMs: nowMs - 120_000,
      }),
      fakeParked({
        ...{ id: "20261128-142800-8-00000003", operation: "vm.remove", destructive: true },
        ...{ targets: ["ai-sandbox-3"], canBeUndone: false, parkedMs: nowMs - 240_000 },
        runs: ["qvm-remove --force ai-sandbox-3"],
        preview: {
          readMs: nowMs - 239_000,
          lines: [{ kind: "removed", text: "ai-sandbox-3" }],
          notes: ["Its data is destroyed: private volume, 9.3 GB, last started today at 14:30."],
        },
      }),
    ],
    grants: [{
      id: "1",
      vm: "work",
      operation: "vm.start",
      targets: ["ai-build-1"],
      untilMs: nowMs + 480_000,
    }],
  };
  dom0.records = [
    fakeRecord(105, { event: "refused", fields: { vm: "research", reason: "bad-mac" } }),
    fakeRecord(104, { event: "done", fields: { vm: "work", exit: 1, command: "qvm-start big" } }),
    fakeRecord(103, { event: "connected", fields: { vm: "work", key: "a1b2 c3d4" } }),
    fakeRecord(102, {
      event: "operator",
      fields: { action: "runs", by: "web s-1", operation: "vm.start" },
    }),
    ...dom0.records,
  ];
  dom0.undoable = [{
    ...{
      id: "work-20261128-142910-1-00000004",
      timeMs: nowMs - 150_000,
      operation: "vm.prefs.set",
    },
    values: { vm: "work", property: "netvm", value: "sys-vpn" },
    ...{ by: "work", before: { value: "sys-firewall", isDefault: true }, changedSince: null },
    runs: ["qvm-prefs --default work netvm"],
  }];
}

export const HOSTILE =
  `"><script>alert(1)</script><img src=x onerror=alert(1)>' \u202eexe.doc\u202c\x1b[2J\x07 w\u043erk ${
    "x".repeat(90)
  }`;

export function makeHostile(dom0: FakeDom0, nowMs: number): void {
  makeBusy(dom0, nowMs);
  const { daemon } = dom0.now;
  dom0.now = {
    ...dom0.now,
    daemon: daemon === null ? null : { ...daemon, problems: [HOSTILE] },
    parked: dom0.now.parked.map((one) => ({
      ...one,
      why: HOSTILE,
      runs: [...one.runs, HOSTILE],
      rule: { where: HOSTILE, text: HOSTILE },
    })),
  };
  for (const qube of dom0.qubes.values()) {
    qube.tags.add(HOSTILE);
    qube.prefs.set("memory", HOSTILE);
    qube.services.set(HOSTILE, "on");
  }
  dom0.qubes.set(HOSTILE, fakeQube(HOSTILE, { state: HOSTILE, label: HOSTILE, netvm: HOSTILE }));
  dom0.files.set("40-x.policy", HOSTILE);
  dom0.records = dom0.records.map((record) => ({
    ...record,
    fields: { ...record.fields, command: HOSTILE, reason: HOSTILE },
  }));
  dom0.undoable = dom0.undoable.map((one) => ({ ...one, by: HOSTILE, changedSince: HOSTILE }));
}

export function makeEmpty(dom0: FakeDom0): void {
  dom0.now = { daemon: null, parked: [], grants: [] };
  dom0.qubes.clear();
  dom0.qubes.set("work", fakeQube("work"));
  [dom0.records, dom0.undoable] = [[], []];
  dom0.files.clear();
}
