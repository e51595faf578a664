// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A scripted model that administers Qubes with the tools of "qvm-remote mcp", as a client offers
 * them: it lists qubes, asks for a change, waits until a person has decided, and tells what came of it.
 *
 * @module
 */

import type { Called } from "../e2e/double_said.ts";
import type { SeenRequest } from "../e2e/proxy_upstream.ts";
import type { Script } from "./clients_scene.ts";

/** What the person says to the second change that is asked for. */
export const REASON = "not-before-noon";
/** What the model says at the end, if each answer of a tool reached it. */
export const REPORT =
  `Qubes: agent dom0 work. Memory of work: 800. Kill: ${REASON}. Script: begun-4711, 3.`;

interface Step {
  readonly tool: string;
  readonly arguments: (request: SeenRequest) => Readonly<Record<string, unknown>>;
}

const waits: Step = { tool: "job_wait", arguments: (request) => ({ id: lastId(request) }) };

const STEPS: readonly Step[] = [
  { tool: "vm_list", arguments: () => ({}) },
  {
    tool: "vm_set",
    arguments: () => ({
      ...{ vm: "work", part: "property", name: "memory", value: "800" },
      why: "the build needs it",
    }),
  },
  waits,
  { tool: "vm_get", arguments: () => ({ vm: "work", part: "properties" }) },
  { tool: "vm_power", arguments: () => ({ vm: "work", action: "kill" }) },
  waits,
  // What came out of a command that failed is what a model needs most.
  {
    tool: "run",
    arguments: () => ({ vm: "dom0", command: "echo begun-$((47 * 100 + 11)); exit 3" }),
  },
  waits,
];

/** How a client wants one of its tools called; null: it does not have it. */
export type CallOf = (
  tool: string,
  call: Readonly<Record<string, unknown>>,
  offered: readonly string[],
) => Called | null;

/** @param onWait the model waits for a person, for the first time, the second or the third */
export function administers(callOf: CallOf, onWait: (time: number) => void): Script {
  let step = 0;
  let waited = 0;
  return {
    times: Infinity,
    pick(offered, request) {
      const next = STEPS[step];
      if (next === undefined) return null;
      const call = callOf(next.tool, next.arguments(request), offered);
      if (call === null || call.name === SEARCH) return call;
      step++;
      if (next === waits) onWait(++waited);
      return call;
    },
    tell: reportOf,
  };
}

/** Claude Code's tool that shows others, when there are many. */
const SEARCH = "ToolSearch";

/** Claude Code's names; of tools that it does not show yet it is asked first. */
export const callOfClaude: CallOf = (tool, call, offered) => {
  const name = `mcp__qubes__${tool}`;
  if (offered.includes(name)) return { id: "toolu_q", name, arguments: call };
  if (!offered.includes(SEARCH)) return null;
  const names = new Set(STEPS.map((step) => `mcp__qubes__${step.tool}`));
  return { id: "toolu_s", name: SEARCH, arguments: { query: `select:${[...names].join()}` } };
};

/** Codex has a namespace for each server. */
export const callOfCodex: CallOf = (tool, call, offered) =>
  offered.includes(`mcp__qubes__${tool}`)
    ? { id: "call_q", name: tool, namespace: "mcp__qubes", arguments: call }
    : null;

/** OpenClaw's names; its tools of servers are called through one of its own, where that is there. */
export const callOfOpenClaw: CallOf = (tool, call, offered) => {
  const name = `qubes__${tool}`;
  if (offered.includes(name)) return { id: "call_o", name, arguments: call };
  return offered.includes("tool_call")
    ? { id: "call_o", name: "tool_call", arguments: { id: name, args: call } }
    : null;
};

/** The job that an answer named last. */
const lastId = ({ text }: SeenRequest): string =>
  [...text.matchAll(/\d{8}-\d{6}-\d+-[0-9a-f]{8}/g)].at(-1)?.[0] ?? "none";

/** From the answers as they came, however often their quotes were escaped on the way. */
function reportOf({ text }: SeenRequest): string {
  const plain = text.replaceAll(/\\+n|\\/g, "").replaceAll(/\s+/g, "");
  const list = /"value":\[(\{"name":[^\]]*)\]/.exec(plain)?.[1] ?? "";
  const names = [...list.matchAll(/"name":"([\w-]+)"/g)].map(([, name]) => name);
  const memory = /"memory":\{"value":"(\d+)"/.exec(plain)?.[1];
  const reason = new RegExp(REASON).exec(plain)?.[0];
  const output = /begun-\d+/.exec(plain)?.[0];
  const code = [...plain.matchAll(/"exitCode":(\d+)/g)].at(-1)?.[1];
  return `Qubes: ${names.join(" ")}. Memory of work: ${memory}. Kill: ${reason}. ` +
    `Script: ${output}, ${code}.`;
}
