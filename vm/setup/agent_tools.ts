// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Tools over Qubes for OpenClaw's agent: "qvm-remote mcp" among the servers of openclaw.json, if this
 * VM's user wants it and dom0 takes this VM's requests. Other servers are left alone.
 *
 * @module
 */

import { readSmallText } from "../../shared/io/files.ts";
import type { Entry } from "../../shared/setup/record.ts";
import type { Tools } from "../../shared/setup/tools.ts";
import { isObject } from "../settings/shape.ts";
import { type Fact, factKey, type Wanted } from "./fact.ts";
import { NOT_PLAIN, settingOf } from "./openclaw_setting.ts";
import type { Places } from "./places.ts";
import { MAX_FILE_BYTES } from "./reader.ts";
import type { SetupRequest } from "./request.ts";
import type { Problem } from "./requirements.ts";
import type { Setting } from "./setting.ts";
import { tried } from "./tried.ts";

const SERVER = "mcp.servers.qubes";
const IDLE = "mcp.sessionIdleTtlMs";
/** As `settingOf` has it. OpenClaw finds the program by PATH. */
const ENTRY = '{"args":["mcp"],"command":"qvm-remote"}';
/** Without one OpenClaw keeps the server of each session for ever: ten minutes, as in the templates. */
const IDLE_MS = "600000";
const PING_SECONDS = 4;

export interface AgentTools {
  readonly wanted: readonly Wanted[];
  /** In the way of what was asked for by --mcp. */
  readonly problems: readonly Problem[];
  /** For people: how to get them. */
  readonly notes: readonly string[];
}

const NONE: AgentTools = { wanted: [], problems: [], notes: [] };

export interface Known {
  readonly entries: readonly Entry<Fact>[];
  readonly isTemplate: boolean;
  /** Asks the person who sits there; null: nobody is to be asked. */
  readonly says: (() => boolean) | null;
}

export async function agentTools(
  { places, tools }: Setting,
  request: SetupRequest,
  { entries, isTemplate, says }: Known,
): Promise<AgentTools> {
  if (request.part === "keys" || request.onlyFiles || request.mcp === "no") return NONE;
  const isAsked = request.mcp === "yes";
  if (isTemplate) return isAsked ? { ...NONE, notes: [IN_EACH_VM] } : NONE;
  // What cannot be read is told where it is written.
  const text = await readSmallText(configPath(places), MAX_FILE_BYTES).catch(() => undefined);
  const now = settingOf(text, SERVER);
  const fact = factFor(places, SERVER);
  const isRecorded = entries.some((entry) => factKey(entry.fact) === factKey(fact));
  if (isRecorded) return wanting(places, text);
  if (isOurs(now)) return NONE;
  const problem = taken(places, now) ?? await notReady(tools);
  if (problem !== undefined) {
    return isAsked ? { ...NONE, problems: [problem] } : { ...NONE, notes: [noteOf(problem)] };
  }
  return isAsked || says?.() === true ? wanting(places, text) : { ...NONE, notes: [HOW] };
}

const WHAT = "tools over Qubes for the agent (qvm-remote mcp)";
const HOW = `for ${WHAT}: run this again with --mcp`;
const IN_EACH_VM = `for ${WHAT}: run setup-vm with --mcp in each VM of this template`;

const noteOf = ({ text, hints }: Problem): string => `for ${WHAT}: ${[text, ...hints].join("; ")}`;

const configPath = ({ state }: Places): string => `${state}/openclaw.json`;

const factFor = (places: Places, key: string): Fact => ({
  kind: "setting",
  path: configPath(places),
  key,
});

/** What the user made of it since then stays. */
function wanting(places: Places, text: string | undefined): AgentTools {
  const setTo = (key: string, value: string, why: string): Wanted => ({
    fact: factFor(places, key),
    to: settingOf(text, key) ?? value,
    why,
  });
  return {
    ...NONE,
    wanted: [
      ...(text === undefined ? [] : [ // a new one has it from its template
        setTo(IDLE, IDLE_MS, "ends the server of a session that is over"),
      ]),
      setTo(SERVER, ENTRY, "tools over Qubes for the agent, as far as dom0's policy goes"),
    ],
  };
}

/** Whoever wrote it, and whatever it was given beside. */
function isOurs(now: string | null): boolean {
  if (now === null || now === NOT_PLAIN) return false;
  const server: unknown = JSON.parse(now);
  return isObject(server) && /(^|\/)qvm-remote$/.test(String(server["command"])) &&
    JSON.stringify(server["args"]) === '["mcp"]';
}

function taken(places: Places, now: string | null): Problem | undefined {
  if (now === null) return undefined;
  const isPlain = now !== NOT_PLAIN;
  return {
    what: "agent tools",
    text: isPlain
      ? 'OpenClaw has another MCP server by the name "qubes"'
      : `${configPath(places)} is not plain JSON, so setup-vm does not write it anew`,
    hints: [
      isPlain
        ? `give that one another name in ${configPath(places)}`
        : `OpenClaw itself does: openclaw config set ${SERVER} '${ENTRY}' --strict-json`,
    ],
  };
}

/** undefined: dom0 takes requests of this VM. */
async function notReady(tools: Tools): Promise<Problem | undefined> {
  const problem = (text: string, ...hints: string[]): Problem => ({
    what: "agent tools",
    text,
    hints,
  });
  const letIn = "in dom0: sudo qvm-remote-dom0 authorize --fetch --grant ask VM";
  const key = await tried(tools, "qvm-remote", "key", "fingerprint");
  if (key === undefined) {
    return problem(
      "there is no qvm-remote here",
      "install the package qvm-remote, or make install-vm",
    );
  }
  if (key.code !== 0) {
    return problem("qvm-remote has no key yet", `qvm-remote key gen; then ${letIn}`);
  }
  const ping = await tried(tools, "qvm-remote", "ping", "--timeout", `${PING_SECONDS}`);
  if (ping?.code === 0) return undefined;
  return problem("dom0 does not answer this VM", letIn, "qvm-remote ping says when it does");
}

export function saysYes({ warn, ask, places }: Setting): boolean {
  warn(
    "OpenClaw's agent can get tools over this Qubes: qvm-remote mcp. It may do with them what dom0's\n" +
      "policy allows this VM, and for what the policy asks about, a person in dom0 decides.\n" +
      `It is one entry of ${configPath(places)}: ${SERVER}.\n`,
  );
  return /^y(es)?$/i.test(ask("Add it? [y/N] ")?.trim() ?? "");
}
