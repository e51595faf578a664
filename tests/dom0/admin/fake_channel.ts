// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A dom0 for the web admin's tests: qubes, requests that wait, a record, a policy, all in memory. It
 * notes each change that is asked of it, and by whom.
 *
 * @module
 */

import type {
  AuditRecord,
  Dom0Channel,
  Dom0Now,
  ParkedRequest,
  RecordQuery,
  RunResult,
  Undoable,
} from "../../../dom0/admin/channel/dom0_channel.ts";
import { Dom0Error } from "../../../dom0/admin/channel/dom0_channel.ts";
import type { QueueItem } from "../../../dom0/admin/channel/keys_channel.ts";
import type { PolicyChangeNow } from "../../../dom0/admin/channel/policy_channel.ts";
import type { ArchiveHead, ArchiveLook } from "../../../dom0/operator/config_archives.ts";
import { ARCHIVE_LOOK, fakeArchives } from "./fake_archives.ts";
import { type FakeAgent, fakeAgent, runAgent } from "./fake_agent.ts";
import type { DaemonState } from "../../../dom0/daemon/state_file.ts";
import type { JsonValue } from "../../../dom0/operations/operation.ts";
import { type FakeFiles, fakeFiles, runOnFiles } from "./fake_files.ts";
import { fakeRunChannel, type FakeRuns } from "./fake_runs.ts";
import { fakeConfig } from "./fake_config.ts";
import { fakePolicy } from "./fake_policy.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

export interface FakeQube {
  readonly name: string;
  state: string;
  readonly class: string;
  readonly label: string;
  readonly template: string | null;
  readonly netvm: string | null;
  readonly memory: string;
  readonly prefs: Map<string, string>;
  readonly tags: Set<string>;
  readonly services: Map<string, string>;
  readonly features: Map<string, string>;
  readonly rules: Record<string, string>[];
}

export interface FakeDevice {
  readonly class: string;
  readonly device: string;
  readonly description: string;
  used_by: string | null;
}

export interface FakeDom0 extends FakeFiles {
  readonly channel: Dom0Channel;
  readonly qubes: Map<string, FakeQube>;
  readonly devices: FakeDevice[];
  /** The agent VM; null: dom0 is set up for none. */
  agent: FakeAgent | null;
  /** "approve work/1 by web s-1", in order. */
  readonly did: string[];
  now: Dom0Now;
  records: AuditRecord[];
  undoable: Undoable[];
  readonly runs: FakeRuns;
  isAtBoot: boolean | null;
  files: Map<string, string>;
  policyChanges: PolicyChangeNow[];
  /** In the queue of each VM that answers. */
  queue: readonly QueueItem[];
  /** remote.conf, and what was changed in it. */
  config: string;
  configChanges: PolicyChangeNow[];
  archives: ArchiveHead[];
  archiveLook: ArchiveLook;
  /** Pages that are open hear of it. */
  changed(): void;
  /** Operations that fail. */
  readonly broken: Set<string>;
  /** Called before the record is read, or written. */
  hooks: { beforeRecords?: () => Promise<unknown>; beforeNote?: () => Promise<unknown> };
  keyFaults: { readonly vm: string; readonly message: string }[];
  /** How many watch. */
  watchers(): number;
}

export function fakeQube(name: string, more: Partial<FakeQube> = {}): FakeQube {
  return {
    ...{ name, state: "Halted", class: "AppVM", label: "blue", template: "debian-13-xfce" },
    ...{ netvm: "sys-firewall", memory: "400" },
    prefs: new Map([["memory", "400"], ["maxmem", "4000"], ["netvm", "sys-firewall"], [
      "vcpus",
      "2",
    ]]),
    tags: new Set(["lab"]),
    services: new Map([["clocksync", "on"]]),
    features: new Map([["gui-events-max-delay", "100"]]),
    rules: [
      { action: "accept", dsthost: "packages.example.org", proto: "tcp", dstports: "443-443" },
      { action: "drop" },
    ],
    ...more,
  };
}

/** Of the key that each VM here has. */
export const FINGERPRINT = "0f1e-2d3c-4b5a-6978-8796-a5b4-c3d2-e1f0";

export const NOW_MS = Date.parse("2026-11-28T13:31:40Z");

export function fakeParked(more: Partial<ParkedRequest> = {}): ParkedRequest {
  return {
    ...{ vm: "research", id: "20261128-143125-2214-9f3c1a7e", hash: "4be107c2".repeat(8) },
    ...{
      operation: "vm.firewall.add",
      level: "manage",
      destructive: false,
      targets: ["ai-build-1"],
    },
    why: "The test run clones its fixtures over ssh and the firewall drops it.",
    ...{ parkedMs: NOW_MS - 42_000, expiresMs: NOW_MS + 840_000 },
    runs: [
      "qvm-firewall ai-build-1 add --before 1 accept dsthost=192.0.2.17 proto=tcp dstports=22",
    ],
    isScript: false,
    rule: { where: "30-research.policy:5", text: "@manage research @tag:ai ask timeout=300" },
    preview: {
      readMs: NOW_MS - 41_000,
      lines: [
        { kind: "same", text: "0  accept  dsthost=packages.example.org  proto=tcp  dstports=443" },
        { kind: "added", text: "1  accept  dsthost=192.0.2.17  proto=tcp  dstports=22" },
        { kind: "same", text: "2  accept  specialtarget=dns" },
        { kind: "same", text: "3  drop" },
      ],
      notes: [],
    },
    canBeUndone: true,
    steps: null,
    ...more,
  };
}

export function fakeRecord(seq: number, more: Partial<AuditRecord> = {}): AuditRecord {
  return {
    seq,
    time: new Date(NOW_MS - (100 - seq) * 60_000).toISOString(),
    event: "done",
    fields: { vm: "work", id: `20261128-1430-${seq}`, exit: 0, command: "qvm-ls --raw-list" },
    ...more,
  };
}

function fakeDaemon(): DaemonState {
  const vm = (name: string, state: "connected" | "waiting", open: readonly string[] = []) => ({
    ...{ vm: parseVmName(name), state, fingerprint: "a1b2 c3d4 e5f6 a7b8", acceptsV1: false },
    ...{ lastEnd: state === "connected" ? null : "the qube does not run", open, kept: 0 },
    parked: [],
  });
  return {
    ...{ pid: 4242, startedAt: "2026-11-27T07:02:00.000Z", version: "2.0.0", lockdown: false },
    limits: { processes: "cgroup", memory: "cgroup" },
    vms: [vm("work", "connected", ["r1"]), vm("research", "connected"), vm("personal", "waiting")],
    problems: [],
  } as unknown as DaemonState;
}

export const done = (stdout: string, value: JsonValue = {}): RunResult => ({
  ...{ exitCode: 0, stdout, stderr: "", value },
});

export function createFakeDom0(): FakeDom0 {
  const watchers = new Set<() => void>();
  const dom0: FakeDom0 = {
    qubes: new Map([
      fakeQube("dom0", {
        class: "AdminVM",
        label: "black",
        state: "Running",
        netvm: null,
        template: null,
      }),
      fakeQube("sys-net", { state: "Running", label: "red", netvm: null }),
      fakeQube("sys-firewall", { state: "Running", label: "green", netvm: "sys-net" }),
      fakeQube("work", { state: "Running" }),
      fakeQube("research", { state: "Running", label: "orange" }),
      fakeQube("ai-build-1", { state: "Running", label: "purple" }),
      fakeQube("claw", {
        state: "Running",
        label: "purple",
        class: "StandaloneVM",
        template: null,
      }),
      fakeQube("ai-sandbox-3", { label: "red", netvm: null }),
      fakeQube("personal", { label: "yellow" }),
    ].map((qube) => [qube.name, qube])),
    devices: [
      { class: "usb", device: "sys-usb:2-1", description: "Logitech camera", used_by: null },
      { class: "block", device: "sys-usb:sda", description: "Flash disk (64 GB)", used_by: null },
      {
        class: "mic",
        device: "dom0:mic",
        description: "Microphone",
        used_by: "research (attached)",
      },
      {
        class: "pci",
        device: "dom0:00_1f.6",
        description: "Ethernet",
        used_by: "sys-net (required)",
      },
    ],
    agent: fakeAgent(NOW_MS),
    did: [],
    now: { daemon: fakeDaemon(), parked: [], grants: [] },
    records: Array.from({ length: 40 }, (_, index) => fakeRecord(100 - index)),
    undoable: [],
    keyFaults: [],
    isAtBoot: true,
    policyChanges: [],
    queue: [
      { folder: "pending", bytes: 412, name: "20261128-143139-2214-9f3c1a7e" },
      { folder: "results", bytes: 96, name: "20261128-143102-2209-00c1f2aa.out" },
    ],
    config: '# Which VMs are served.\nQVM_REMOTE_VMS="work research personal"\n',
    configChanges: [],
    ...fakeFiles(),
    archives: [],
    archiveLook: ARCHIVE_LOOK,
    runs: { all: [], isHeld: false, plans: [], undo: [] },
    hooks: {},
    broken: new Set(),
    files: new Map([[
      "30-research.policy",
      "@monitor research @tag:ai allow\n@manage research @tag:ai ask\n",
    ]]),
    changed: () => watchers.forEach((tell) => tell()),
    watchers: () => watchers.size,
    channel: undefined as unknown as Dom0Channel,
  };
  const channel = createChannel(dom0, watchers);
  return Object.assign(dom0, { channel });
}

function createChannel(dom0: FakeDom0, watchers: Set<() => void>): Dom0Channel {
  const did = (what: string, by: string): void => void dom0.did.push(`${what} by ${by}`);
  const answer = ({ vm, id }: { vm: string; id: string }, hash?: string): void => {
    const found = dom0.now.parked.find((one) => one.vm === vm && one.id === id);
    if (found === undefined) throw new Dom0Error("This request waits no more.");
    if (hash !== undefined && hash !== found.hash) {
      throw new Dom0Error("It has changed: look again.");
    }
    dom0.now = { ...dom0.now, parked: dom0.now.parked.filter((one) => one !== found) };
    dom0.changed();
  };
  const setLockdown = (lockdown: boolean): void => {
    const { daemon } = dom0.now;
    if (daemon === null) throw new Dom0Error("The daemon does not run.");
    dom0.now = { ...dom0.now, daemon: { ...daemon, lockdown } };
    dom0.changed();
  };
  return {
    now: () => Promise.resolve(dom0.now),
    watch(onChange) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
    async approve(parked, hash, forSeconds, by) {
      await Promise.resolve(answer(parked, hash));
      did(
        `approve ${parked.vm}/${parked.id}${forSeconds === null ? "" : ` for ${forSeconds}`}`,
        by,
      );
    },
    async deny(parked, hash, reason, by) {
      await Promise.resolve(answer(parked, hash));
      did(`deny ${parked.vm}/${parked.id} "${reason}"`, by);
    },
    async startDaemon(by) {
      if (dom0.now.daemon !== null) throw new Dom0Error("The daemon runs already.");
      dom0.now = { ...dom0.now, daemon: fakeDaemon() };
      await Promise.resolve(did("start the daemon", by));
    },
    turnDaemon: (verb, by) => Promise.resolve(did(`${verb} the daemon`, by)),
    async cancelRequest({ vm, id }, by) {
      const { daemon } = dom0.now;
      const isOpen = daemon?.vms.some((one) => one.vm === vm && one.open.includes(id)) ?? false;
      if (daemon === null || !isOpen) throw new Dom0Error(`${id} of ${vm} has ended already`);
      const without = daemon.vms.map((one) => ({
        ...one,
        open: one.open.filter((other) => one.vm !== vm || other !== id),
      }));
      dom0.now = { ...dom0.now, daemon: { ...daemon, vms: without } };
      await Promise.resolve(did(`cancel ${vm}/${id}`, by));
    },
    async endGrant(grant, by) {
      dom0.now = { ...dom0.now, grants: dom0.now.grants.filter(({ id }) => id !== grant) };
      await Promise.resolve(did(`end grant ${grant}`, by));
    },
    async run(operation, values, by) {
      const result = await Promise.resolve(runFake(dom0, operation, values));
      if (
        !/\.(list|read|info|version|kernel|uptime|memory|disk|check|status|usage|config|tunnels|browse)$/
          .test(operation)
      ) {
        did(`run ${operation} ${JSON.stringify(values)}`, by);
      }
      return result;
    },
    ...fakeRunChannel({
      ...{ dom0, did, nowMs: NOW_MS },
      run: (operation, values) => runFake(dom0, operation, values),
    }),
    async records(query) {
      await dom0.hooks.beforeRecords?.();
      return pageOf(dom0.records, query);
    },
    verifyChain: () =>
      Promise.resolve({
        isWhole: true,
        records: dom0.records.length,
        text: "every record follows the one before",
      }),
    ...fakePolicy(dom0, did, NOW_MS),
    ...fakeConfig(dom0, did, NOW_MS),
    ...fakeArchives(dom0, did, NOW_MS),
    explainCall: ({ source, target, service }) =>
      service === "bad service"
        ? Promise.reject(new Dom0Error("This cannot be judged here: bad service"))
        : Promise.resolve(
          service.startsWith("openclaw.")
            ? {
              ...{ verdict: "allow", targets: [target === "@default" ? "claw" : target], why: "" },
              at: "/etc/qubes/policy.d/50-openclaw.policy:1",
            }
            : { verdict: "deny", targets: [], at: null, why: `no rule fits ${source}` },
        ),
    keys: () =>
      Promise.resolve({
        keys: (dom0.now.daemon?.vms ?? []).map(({ vm, fingerprint, acceptsV1 }) => ({
          ...{ vm, fingerprint, acceptsV1 },
        })),
        faults: dom0.keyFaults,
      }),
    fingerprintOf: (vm) =>
      dom0.broken.has("fingerprint")
        ? Promise.reject(new Dom0Error(`${vm} answered with no key.`))
        : Promise.resolve(FINGERPRINT),
    async authorize(vm, key, { grant, scope, acceptsV1 }, by) {
      if ("fingerprint" in key && key.fingerprint !== FINGERPRINT) {
        throw new Dom0Error(`The key of ${vm} is not the one that was compared.`);
      }
      const what = "text" in key ? "a typed key" : key.fingerprint;
      await Promise.resolve(
        did(`authorize ${vm} ${what} ${grant} ${scope} ${acceptsV1 ? "v1" : "v2"}`, by),
      );
      return { fingerprint: FINGERPRINT, inForce: true };
    },
    queueEntries(vm) {
      if (vm === "personal") return Promise.reject(new Dom0Error("personal does not run."));
      return Promise.resolve(dom0.queue);
    },
    async queue(vm, what, by) {
      if (vm === "personal") throw new Dom0Error("the qube does not run");
      await Promise.resolve(did(`queue ${vm} ${what}`, by));
      return { pending: 0, running: 1, results: 2, removed: what === "status" ? 0 : 3 };
    },
    async revoke(vm, by) {
      await Promise.resolve(did(`revoke ${vm}`, by));
    },
    undoable: () => Promise.resolve(dom0.undoable),
    async undo(id, by) {
      dom0.undoable = dom0.undoable.filter((one) => one.id !== id);
      await Promise.resolve(did(`undo ${id}`, by));
      return { id: "20261128-143140-1-0000000a" };
    },
    async note(action, by) {
      await dom0.hooks.beforeNote?.();
      await Promise.resolve(did(action, by));
    },
    autostart: () => Promise.resolve({ isOn: dom0.isAtBoot }),
    async setAutostart(isOn, by) {
      dom0.isAtBoot = isOn;
      await Promise.resolve(did(`autostart ${isOn ? "on" : "off"}`, by));
    },
    async lockdown(by) {
      setLockdown(true);
      await Promise.resolve(did("lockdown", by));
    },
    async unlock(by) {
      setLockdown(false);
      await Promise.resolve(did("unlock", by));
    },
  };
}

function pageOf(all: readonly AuditRecord[], query: RecordQuery) {
  const { vm, failedOnly, text, sinceMs, before, limit } = query;
  const fitting = all.filter((record) =>
    (vm === null || record.fields["vm"] === vm) &&
    (!failedOnly || record.event === "refused" ||
      (record.event === "done" && record.fields["exit"] !== 0)) &&
    JSON.stringify(record).includes(text) && Date.parse(record.time) >= sinceMs &&
    (before === null || record.seq < before)
  );
  return { records: fitting.slice(0, limit), hasMore: fitting.length > limit };
}

type Values = Readonly<Record<string, string>>;

/** What the tools of dom0 would do, as far as the pages ask it. */
function runFake(dom0: FakeDom0, operation: string, values: Values): RunResult {
  const qubes = [...dom0.qubes.values()];
  const qube = dom0.qubes.get(values["vm"] ?? "");
  if (dom0.broken.has(operation)) {
    return { exitCode: 1, stdout: "", stderr: "it is broken\n", value: null };
  }
  if (operation === "vm.list") {
    return done(
      "",
      qubes.map(({ name, state, class: of, label, template, netvm }) => ({
        ...{ name, state, class: of, label, template, netvm },
      })),
    );
  }
  if (operation === "device.list") {
    const found = dom0.devices.filter((one) => one.class === values["device_class"]);
    return done("", found.map(({ class: _, ...row }) => row));
  }
  if (operation.startsWith("openclaw.")) return runAgent(dom0.agent, operation, values);
  if (operation === "xen.list") {
    return done("", qubes.map(({ name, memory }) => ({ name, id: "1", memory_mib: memory })));
  }
  if (operation === "template.list") {
    return done("", [{ status: "I", name: "debian-13", evr: "0:4.3", repository: "qubes" }]);
  }
  if (operation === "system.prefs.list") {
    return done("", { default_netvm: { value: "sys-firewall", isDefault: false } });
  }
  if (operation === "policy.list") return done("", ["50-openclaw.policy", "90-default.policy"]);
  if (operation === "policy.read") {
    return done("openclaw.Mux +32125 @tag:openclaw-client @tag:openclaw-server allow\n", "");
  }
  if (operation === "journal.read") {
    return done("Nov 28 14:31:07 dom0 qvm-remote-dom0[4242]: CONNECTED vm=work\n", []);
  }
  if (operation === "host.disk") return done("", DISKS);
  const onFiles = runOnFiles(dom0, operation, values);
  if (onFiles !== null) return onFiles;
  if (/^(host|xen|update)\./.test(operation)) return done(`${operation}: as it is\n`, "");
  if (qube === undefined && operation.startsWith("vm.")) {
    return { exitCode: 1, stdout: "", stderr: `no such domain: '${values["vm"]}'\n`, value: null };
  }
  return qube === undefined ? done("") : runOnQube(dom0, qube, operation, values);
}

function runOnQube(dom0: FakeDom0, qube: FakeQube, operation: string, values: Values): RunResult {
  const { prefs, tags, services } = qube;
  switch (operation) {
    case "vm.start":
      qube.state = "Running";
      return done("");
    case "vm.shutdown":
    case "vm.kill":
      qube.state = "Halted";
      return done("");
    case "vm.pause":
      qube.state = "Paused";
      return done("");
    case "vm.remove":
      dom0.qubes.delete(qube.name);
      return done("");
    case "vm.info":
      return done("", [{ name: qube.name, state: qube.state }]);
    case "vm.prefs.list":
      return done(
        "",
        Object.fromEntries([...prefs].map(([name, value]) => [name, { value, isDefault: false }])),
      );
    case "vm.prefs.set":
      if (values["value"] === "refused") {
        return { exitCode: 1, stdout: "", stderr: "Invalid value\n", value: null };
      }
      prefs.set(values["property"] ?? "", values["value"] ?? "");
      return done("");
    case "vm.tags.list":
      return done("", [...tags]);
    case "vm.tags.add":
      tags.add(values["tag"] ?? "");
      return done("");
    case "vm.tags.remove":
      tags.delete(values["tag"] ?? "");
      return done("");
    case "vm.services.list":
      return done("", Object.fromEntries(services));
    case "vm.services.enable":
    case "vm.services.disable":
      services.set(values["service"] ?? "", operation.endsWith("enable") ? "on" : "off");
      return done("");
    case "vm.services.reset":
      services.delete(values["service"] ?? "");
      return done("");
    case "vm.prefs.reset":
      prefs.set(values["property"] ?? "", "the default");
      return done("");
    default:
      return runMore(dom0, qube, operation, values);
  }
}

function runMore(dom0: FakeDom0, qube: FakeQube, operation: string, values: Values): RunResult {
  const { features, rules } = qube;
  switch (operation) {
    case "vm.features.list":
      return done("", Object.fromEntries(features));
    case "vm.features.set":
      features.set(values["feature"] ?? "", values["value"] ?? "");
      return done("");
    case "vm.features.reset":
      features.delete(values["feature"] ?? "");
      return done("");
    case "vm.firewall.list":
      return done("", rules.map((rule) => ({ ...rule })));
    case "vm.firewall.add": {
      const { vm: _, before, ...rule } = values;
      rules.splice(before === undefined ? rules.length : Number(before), 0, rule);
      return done("");
    }
    case "vm.firewall.remove":
      rules.splice(Number(values["rule_no"]), 1);
      return done("");
    case "device.attach":
    case "device.detach":
      for (const one of dom0.devices.filter(({ device }) => device === values["device"])) {
        one.used_by = operation === "device.attach" ? `${qube.name} (attached)` : null;
      }
      return done("");
    default:
      return done("");
  }
}

const DISKS: JsonValue = ([
  ["/dev/mapper/qubes_dom0-root", 20_510_332, 9_120_400, "/"],
  ["devtmpfs", 4_096, 4_096, "/dev"],
  ["/dev/sdb1", 976_762_584, 701_220_352, "/run/media/user/backup-disk"],
  ["/dev/sdc1", 488_245_288, 212_004_000, "/mnt/a-folder-with-a-name-that-is-very-long/backup"],
] as const).map(([filesystem, kib, free_kib, mounted_on]) => ({
  ...{ filesystem, mounted_on, used_kib: "0", used_percent: "55%" },
  ...{ kib: String(kib), free_kib: String(free_kib) },
}));
