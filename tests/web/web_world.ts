// SPDX-License-Identifier: GPL-2.0-or-later
/** What the browser's tests look at: a busy dom0, an empty one, one full of hostile text. @module */

import type { FakeDom0 } from "../dom0/admin/fake_channel.ts";
import { fakeParked, fakeQube, fakeRecord } from "../dom0/admin/fake_channel.ts";
import type { ParkedRequest } from "../../dom0/admin/channel/dom0_channel.ts";
import type { PlanStepView, PlanView } from "../../dom0/plans/plan_view.ts";

/** Every page, by the name of its screenshots. */
const ARCHIVE = "config-20261128-091502.json";

export const PAGES: readonly (readonly [name: string, path: string])[] = [
  ["dashboard", "/"],
  ["approvals", "/approvals"],
  ["approval-shell", "/approvals/work/20261128-143000-7-00000002"],
  ["approval-destroys", "/approvals/research/20261128-142800-8-00000003"],
  ["approval-plan", "/approvals/research/20261128-142700-9-00000004"],
  ["plans", "/plans"],
  ["plan", "/plans/dom0/20261128-142000-1-000000b1"],
  ["logs", "/logs"],
  ["journal", "/logs/journal"],
  ["undo", "/undo"],
  ["qubes", "/qubes"],
  ["qube", "/qubes/work?edit=maxmem"],
  ["network", "/network"],
  ["execute", "/execute?operation=vm.create"],
  ["files", "/files?path=/home/user"],
  ["files-qube", "/files?vm=work&to=research&pick=~"],
  ["keys", "/keys"],
  ["keys-authorize", "/keys/authorize?vm=work"],
  ["keys-queue", "/keys/work/queue"],
  ["policy", "/policy?vm=research&words=qvm-kill+ai-build-1"],
  ["policy-new", "/policy?new=own&vm=work"],
  ["policy-remove", "/policy/30-research.policy?remove"],
  ["qrexec", "/qrexec?source=work&service=openclaw.Mux%2B32125&target=%40default"],
  ["staged", "/staged"],
  ["openclaw", "/openclaw"],
  ["openclaw-logs", "/openclaw/claw/logs"],
  ["backup", "/backup"],
  ["backup-archive", `/backup?archive=${ARCHIVE}&keys=yes`],
  ["global", "/global"],
  ["configuration", "/configuration"],
  ["sessions", "/sessions"],
  ["lockdown", "/lockdown"],
];

/** The daemon says of each VM what it has open. */
function withParked({ daemon, parked, ...now }: FakeDom0["now"]): FakeDom0["now"] {
  const vms = (daemon?.vms ?? []).map((one) => {
    const own = parked.filter(({ vm }) => vm === one.vm).map(({ id }) => id);
    return { ...one, open: [...one.open, ...own], parked: own };
  });
  return { ...now, parked, daemon: daemon === null ? null : { ...daemon, vms } };
}

export function makeBusy(dom0: FakeDom0, nowMs: number): void {
  dom0.now = withParked({
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
      parkedPlan(nowMs),
    ],
    grants: [{
      id: "1",
      vm: "work",
      operation: "vm.start",
      targets: ["ai-build-1"],
      untilMs: nowMs + 480_000,
    }],
  });
  dom0.runs.plans = [runningPlan(nowMs), failedPlan(nowMs)];
  dom0.records = [
    fakeRecord(105, { event: "refused", fields: { vm: "research", reason: "bad-mac" } }),
    fakeRecord(104, {
      event: "done",
      asked: "vm.start",
      fields: { vm: "work", id: "20261128-1430-big", exit: 1, err_bytes: 31 },
    }),
    fakeRecord(103, { event: "connected", fields: { vm: "work", key: "a1b2 c3d4" } }),
    fakeRecord(102, {
      event: "operator",
      fields: { action: "runs", by: "web s-1", operation: "vm.start" },
    }),
    fakeRecord(101, {
      event: "accepted",
      fields: {
        ...{ vm: "work", id: "20261128-1430-big", operation: "vm.start", targets: ["big"] },
        command: "qvm-start big",
      },
    }),
    fakeRecord(100, {
      event: "accepted",
      fields: {
        ...{ vm: "work", id: "r1", operation: "vm.clone", targets: ["ai-build-1", "ai-build-9"] },
        command: "qvm-clone ai-build-1 ai-build-9",
      },
    }),
    ...dom0.records.slice(1),
  ];
  dom0.archives = [
    { name: ARCHIVE, madeMs: nowMs - 16_000_000, hasKeys: true, bytes: 6_100 },
    { name: "config-20261101-180000.json", madeMs: nowMs - 2e9, hasKeys: false, bytes: 5_400 },
  ];
  dom0.policyChanges = [
    {
      ...{ id: "20261128-142000-1-000000c2", timeMs: nowMs - 660_000, by: "web s-1" },
      ...{ file: "30-research.policy", isUndone: false },
      before: "@monitor research @tag:ai allow\n",
      after: dom0.files.get("30-research.policy") ?? "",
      now: dom0.files.get("30-research.policy") ?? "",
    },
    {
      ...{ id: "20261127-142000-1-000000c1", timeMs: nowMs - 87e6, by: "web s-4" },
      ...{ file: "40-old.policy", before: "* old * deny\n", after: null },
      ...{ isUndone: true, now: "* old * deny\n" },
    },
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

function parkedPlan(nowMs: number): ParkedRequest {
  return fakeParked({
    ...{ id: "20261128-142700-9-00000004", operation: "plan", parkedMs: nowMs - 280_000 },
    ...{
      targets: ["ai-build-3"],
      why: "A larger build qube for the nightly tests.",
      preview: null,
    },
    runs: [
      "step 1 (new): vm.create vm=ai-build-3 label=purple",
      "step 2: vm.prefs.set vm=ai-build-3 property=maxmem value=16384",
      "step 3: vm.start vm=ai-build-3",
    ],
    steps: [
      {
        text: "step 1 (new): vm.create vm=ai-build-3 label=purple",
        lines: [{ kind: "added", text: "ai-build-3" }],
        notes: [],
      },
      {
        text: "step 2: vm.prefs.set vm=ai-build-3 property=maxmem value=16384",
        lines: [
          { kind: "removed", text: "maxmem of ai-build-3: 4000" },
          { kind: "added", text: "maxmem of ai-build-3: 16384" },
        ],
        notes: ["Not known: maxmem of ai-build-3: there is no such qube yet"],
      },
      { text: "step 3: vm.start vm=ai-build-3", lines: [], notes: [] },
    ],
  });
}

/** A step as it is on the board. */
function step(number: number, operation: string, words: string, more: Partial<PlanStepView>) {
  return {
    ...{
      number,
      operation,
      text: `step ${number}: ${operation} ${words}`,
      state: "waiting" as const,
    },
    ...{ exit: null, said: null, result: null, before: null, after: null, endedMs: null },
    ...more,
  };
}

const property = (value: string) => ({ value: { value, isDefault: false } });

function runningPlan(nowMs: number): PlanView {
  return {
    ...{ vm: "research", id: "20261128-143100-9-000000a1", by: "research", endedMs: null },
    ...{ begunMs: nowMs - 9_000, state: "running", undoOnFailure: true, notUndone: [] },
    steps: [
      step(1, "vm.create", "vm=ai-build-2 label=purple", {
        ...{ state: "done", exit: 0, endedMs: nowMs - 4_000 },
        ...{ before: { value: false }, after: { value: true } },
      }),
      step(2, "vm.start", "vm=ai-build-2", { state: "running", before: { value: "Halted" } }),
      step(3, "vm.prefs.list", "vm=ai-build-2", {}),
    ],
  };
}

function failedPlan(nowMs: number): PlanView {
  return {
    ...{ vm: "dom0", id: "20261128-142000-1-000000b1", by: "web s-1", begunMs: nowMs - 700_000 },
    ...{ endedMs: nowMs - 690_000, state: "failed", undoOnFailure: true, notUndone: [] },
    steps: [
      step(1, "vm.prefs.set", "vm=work property=maxmem value=8192", {
        ...{ state: "undone", exit: 0, endedMs: nowMs - 698_000 },
        ...{ before: property("4096"), after: property("8192") },
      }),
      step(2, "vm.prefs.set", "vm=work property=kernel value=6.6.77", {
        ...{ state: "failed", exit: 1, said: "Kernel '6.6.77' is not installed" },
        ...{ endedMs: nowMs - 697_000, before: property("6.12.54"), after: property("6.12.54") },
      }),
      step(3, "vm.tags.add", "vm=work tag=lab", {}),
    ],
  };
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
      steps: one.steps === null ? null : [{
        text: `step 1: vm.run ${HOSTILE}`,
        lines: [{ kind: "added", text: HOSTILE }],
        notes: [HOSTILE],
      }],
      rule: { where: HOSTILE, text: HOSTILE },
    })),
  };
  dom0.runs.plans = dom0.runs.plans.map((plan) => ({
    ...plan,
    steps: plan.steps.map((one) => ({
      ...one,
      ...{ text: `step 1: vm.start vm=${HOSTILE}`, said: HOSTILE, result: JSON.stringify(HOSTILE) },
      ...{ before: { value: HOSTILE }, after: { value: [HOSTILE] } },
    })),
  }));
  for (const qube of dom0.qubes.values()) {
    qube.tags.add(HOSTILE);
    qube.prefs.set("memory", HOSTILE);
    qube.services.set(HOSTILE, "on");
  }
  dom0.qubes.set(HOSTILE, fakeQube(HOSTILE, { state: HOSTILE, label: HOSTILE, netvm: HOSTILE }));
  dom0.files.set("40-x.policy", HOSTILE);
  dom0.config = `${HOSTILE}\n`;
  dom0.queue = [{ folder: "pending", bytes: 9, name: HOSTILE }];
  const hostileFiles = ["d", "f"].flatMap((type) =>
    [HOSTILE, "<script>alert(1)", `it's "quoted" ${"x".repeat(90)}`].map((name) => ({
      ...{ type, size: 1, mode: "0700", mtime: 1_795_000_000, name },
    }))
  );
  dom0.folders.set("/home/user", hostileFiles);
  for (const vm of ["work", "research"]) dom0.qubeFolders.set(`${vm}:~`, hostileFiles);
  dom0.records = dom0.records.map((record) => ({
    ...record,
    fields: { ...record.fields, command: HOSTILE, reason: HOSTILE },
  }));
  if (dom0.agent !== null) {
    dom0.agent.parts.set(HOSTILE, HOSTILE);
    dom0.agent.usage.push({ client: HOSTILE, model: HOSTILE, requests: 1, tokens: 1, spend: 9 });
  }
  dom0.policyChanges = dom0.policyChanges.map((one) => ({
    ...one,
    ...{ by: HOSTILE, file: HOSTILE, before: HOSTILE, after: null },
  }));
  dom0.archiveLook = {
    ...dom0.archiveLook,
    items: dom0.archiveLook.items.map((one) => ({ ...one, name: HOSTILE, before: HOSTILE })),
    stays: [HOSTILE],
  };
  dom0.undoable = dom0.undoable.map((one) => ({ ...one, by: HOSTILE, changedSince: HOSTILE }));
}

export function makeEmpty(dom0: FakeDom0): void {
  dom0.now = { daemon: null, parked: [], grants: [] };
  dom0.qubes.clear();
  dom0.qubes.set("work", fakeQube("work"));
  [dom0.records, dom0.undoable, dom0.runs.plans] = [[], [], []];
  [dom0.archives, dom0.policyChanges] = [[], []];
  dom0.qubes.set("claw", fakeQube("claw"));
  dom0.agent = null;
  dom0.files.clear();
}
