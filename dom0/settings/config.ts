// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * /etc/qubes/remote.conf: KEY="value" lines. A line that is not understood is reported with its
 * number and makes the whole file bad: the daemon then keeps the last good one.
 *
 * @module
 */

import { type LineProblem, readKeyValues } from "../../shared/io/key_value.ts";
import { parseDecimal } from "../../shared/protocol/bytes.ts";
import { MAX_PAYLOAD_BYTES } from "../../shared/protocol/limits.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

export interface Config {
  readonly vms: readonly VmName[];
  /** The user in the VM whose queue is read; "DEFAULT" is what qubesd says. */
  readonly vmUser: string;
  /** Longest time a command may run, whatever it asks for. */
  readonly maxTimeoutMs: number;
  /** Per stream; a command that prints more is ended. */
  readonly maxOutputBytes: number;
  /** What the requests of one VM may bring at once, on dom0's disk. */
  readonly maxPayloadBytes: number;
  /** Whether a request may bring a live stream, which nobody can be shown beforehand. */
  readonly liveStdin: boolean;
  readonly maxProcesses: number;
  /** In all of a command's processes together, where cgroups limit memory. */
  readonly maxMemoryBytes: number;
  /** All commands together, where cgroups limit them. */
  readonly maxTotalProcesses: number;
  readonly maxTotalMemoryBytes: number;
  /** Commands at once, in all and for one VM. */
  readonly parallel: number;
  readonly parallelPerVm: number;
  /** Of one VM: see dom0/judge/rate_limit.ts. */
  readonly maxRequestsPerMinute: number;
  readonly maxFailuresPerMinute: number;
  /** Requests of one VM that wait for a person. */
  readonly maxParkedPerVm: number;
  /** How long a request waits for a person. */
  readonly approvalExpiresMs: number;
  /** Whether the person at the screen is told that a request waits. */
  readonly notify: boolean;
  /** PATH of the commands. */
  readonly path: string;
}

export type ConfigProblem = LineProblem;

export const DEFAULT_CONFIG: Config = {
  vms: [],
  vmUser: "DEFAULT",
  maxTimeoutMs: 3600 * 1000,
  maxOutputBytes: 10 * 1024 * 1024, // as the original
  maxPayloadBytes: 4 * 1024 ** 3,
  liveStdin: true,
  maxProcesses: 256,
  maxMemoryBytes: 1024 * 1024 * 1024,
  maxTotalProcesses: 2048, // eight commands with their most
  maxTotalMemoryBytes: 2 * 1024 * 1024 * 1024, // half of what dom0 has by default
  parallel: 8, // as the original
  parallelPerVm: 4,
  maxRequestsPerMinute: 15_000, // the ledger lets a VM have some 16,000 run
  maxFailuresPerMinute: 120, // refusals end a session sooner; these are commands that hit a limit
  maxParkedPerVm: 8, // as many as a person reads at once
  approvalExpiresMs: 3600 * 1000,
  notify: true,
  path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
};

/** Names of the VM list, the first that is set wins: the last three are the original's. */
export const VM_LIST_KEYS = [
  "QVM_REMOTE_VMS",
  "QUBES_REMOTE_VMS",
  "QVM_REMOTE_VM",
  "QUBES_REMOTE_VM",
] as const;

type Change = (value: string) => Partial<Config>;

/** Commands at once, whatever is configured. */
export const MAX_PARALLEL = 64;

/** Every key but the VM lists, and what it changes. */
const KEYS: ReadonlyMap<string, Change> = new Map<string, Change>([
  ["QVM_REMOTE_VM_USER", (value) => {
    if (!/^[A-Za-z_][A-Za-z0-9_-]{0,31}$/.test(value)) {
      throw new ProtocolError("bad-argument", "want a user name");
    }
    return { vmUser: value };
  }],
  ["QVM_REMOTE_MAX_TIMEOUT", (value) => ({ maxTimeoutMs: 1000 * parseDecimal(value, 1, 86400) })],
  ["QVM_REMOTE_MAX_OUTPUT", (value) => ({ maxOutputBytes: parseDecimal(value, 1024, 2 ** 30) })],
  ["QVM_REMOTE_MAX_PAYLOAD", (value) => ({
    maxPayloadBytes: parseDecimal(value, 0, MAX_PAYLOAD_BYTES),
  })],
  ["QVM_REMOTE_MAX_PROCESSES", (value) => ({ maxProcesses: parseDecimal(value, 1, 32768) })],
  ["QVM_REMOTE_MAX_MEMORY", (value) => ({ maxMemoryBytes: parseDecimal(value, 2 ** 24, 2 ** 40) })],
  [
    "QVM_REMOTE_TOTAL_PROCESSES",
    (value) => ({ maxTotalProcesses: parseDecimal(value, 1, 2 ** 22) }),
  ],
  ["QVM_REMOTE_TOTAL_MEMORY", (value) => ({
    maxTotalMemoryBytes: parseDecimal(value, 2 ** 24, 2 ** 40),
  })],
  ["QVM_REMOTE_PARALLEL", (value) => ({ parallel: parseDecimal(value, 1, MAX_PARALLEL) })],
  ["QVM_REMOTE_PARALLEL_PER_VM", (value) => ({
    parallelPerVm: parseDecimal(value, 1, MAX_PARALLEL),
  })],
  ["QVM_REMOTE_REQUESTS_PER_MINUTE", (value) => ({
    maxRequestsPerMinute: parseDecimal(value, 1, 1_000_000),
  })],
  ["QVM_REMOTE_FAILURES_PER_MINUTE", (value) => ({
    maxFailuresPerMinute: parseDecimal(value, 1, 1_000_000),
  })],
  ["QVM_REMOTE_PARKED_PER_VM", (value) => ({ maxParkedPerVm: parseDecimal(value, 1, 64) })],
  ["QVM_REMOTE_APPROVAL_EXPIRES", (value) => ({
    approvalExpiresMs: 1000 * parseDecimal(value, 1, 86400),
  })],
  ["QVM_REMOTE_NOTIFY", (value) => ({ notify: parseYesOrNo(value) })],
  ["QVM_REMOTE_LIVE_STDIN", (value) => ({ liveStdin: parseYesOrNo(value) })],
  ["QVM_REMOTE_PATH", (value) => {
    if (!/^(\/[^:\0]*)(:\/[^:\0]*)*$/.test(value)) {
      throw new ProtocolError("bad-argument", 'want absolute folders joined by ":"');
    }
    return { path: value };
  }],
]);

function parseYesOrNo(value: string): boolean {
  if (value !== "yes" && value !== "no") {
    throw new ProtocolError("bad-argument", "want yes or no");
  }
  return value === "yes";
}

/** The names a systemd unit or a shell may set to override the file. */
export const CONFIG_ENVIRONMENT: readonly string[] = [...VM_LIST_KEYS, ...KEYS.keys()];

export interface ParsedConfig {
  readonly config: Config;
  /** Empty: the file is good. */
  readonly problems: readonly ConfigProblem[];
}

/** @param environment values that win over the file's */
export function parseConfig(
  text: string,
  environment: ReadonlyMap<string, string> = new Map(),
): ParsedConfig {
  const problems: ConfigProblem[] = [];
  const lists = new Map<string, readonly VmName[]>();
  let config = DEFAULT_CONFIG;
  const set = (line: number, key: string, value: string): void => {
    try {
      if ((VM_LIST_KEYS as readonly string[]).includes(key)) {
        lists.set(key, parseVmList(value));
        return;
      }
      const change = KEYS.get(key);
      if (change === undefined) {
        problems.push({ line, text: `unknown key ${printable(key)}` });
        return;
      }
      config = { ...config, ...change(value) };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      problems.push({ line, text: `${key}: ${printable(value)}: ${error.message}` });
    }
  };

  const read = readKeyValues(text);
  problems.push(...read.problems);
  for (const { line, key, value } of read.entries) {
    if (!environment.has(key)) set(line, key, value);
  }
  const file = firstList(lists);
  lists.clear();
  for (const [key, value] of environment) set(0, key, value);
  const vms = firstList(lists) ?? file ?? [];
  return { config: { ...config, vms }, problems: problems.toSorted((a, b) => a.line - b.line) };
}

function firstList(lists: ReadonlyMap<string, readonly VmName[]>): readonly VmName[] | undefined {
  return VM_LIST_KEYS.map((key) => lists.get(key)).find((list) => list !== undefined);
}

function parseVmList(value: string): readonly VmName[] {
  const names = value.split(/\s+/).filter((word) => word !== "").map(parseVmName);
  return [...new Set(names)];
}

/** The text of the file with another VM list: other lines and comments stay as they are. */
export function withVmList(text: string, vms: readonly VmName[]): string {
  const line = `QVM_REMOTE_VMS="${vms.join(" ")}"`;
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const isList = (old: string): boolean =>
    VM_LIST_KEYS.some((key) => new RegExp(`^\\s*${key}=`).test(old));
  const at = lines.findIndex(isList);
  const rest = lines.filter((old) => !isList(old));
  rest.splice(at === -1 ? rest.length : at, 0, line);
  return rest.join("\n") + "\n";
}
