// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The person at the screen of dom0: whoever has the active graphical session on seat0, and programs
 * started as that user, in that session. The daemon's own unit cannot reach it (ProtectHome=), so
 * systemd starts them, by an argument vector, with nothing of the daemon's environment.
 *
 * @module
 */

import { AbsentProgram, type Argv, runTool } from "../../shared/io/run_tool.ts";
import { parseDecimal } from "../../shared/protocol/bytes.ts";

export interface ScreenUser {
  readonly uid: number;
  readonly name: string;
  /** NAME=VALUE, what a graphical program needs. */
  readonly environment: readonly string[];
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
}

/** Runs a program of dom0 to its end. @returns null if it cannot be started */
export type RunTool = (
  argv: Argv,
  input?: string,
) => Promise<Ended | null>;

/** @returns null if nobody is there: no graphical session, a greeter, another seat */
export async function findScreenUser(run: RunTool): Promise<ScreenUser | null> {
  const seat = await run(["loginctl", "show-seat", "seat0", "--property=ActiveSession", "--value"]);
  const session = seat?.code === 0 ? seat.stdout.trim() : "";
  if (!/^[A-Za-z0-9]{1,32}$/.test(session)) return null;
  const shown = await run(["loginctl", "show-session", session, ...PROPERTIES]);
  if (shown?.code !== 0) return null;
  const facts = namedLines(shown.stdout);
  const isPerson = facts.get("Class") === "user" && facts.get("Remote") === "no" &&
    facts.get("State") === "active" && /^(x11|wayland)$/.test(facts.get("Type") ?? "");
  const name = facts.get("Name") ?? "";
  if (!isPerson || !/^[a-z_][a-z0-9_-]{0,31}$/i.test(name)) return null;
  const uid = parseDecimal(facts.get("User") ?? "", 1, 2 ** 31);
  return { uid, name, environment: await environmentOf(uid, facts.get("Display") ?? "", run) };
}

const PROPERTIES = ["Class", "Remote", "State", "Type", "Name", "User", "Display"]
  .map((name) => `--property=${name}`);

/** What the session told its systemd; otherwise what sessions usually have. */
async function environmentOf(
  uid: number,
  display: string,
  run: RunTool,
): Promise<readonly string[]> {
  const ofManager = await run([
    "systemctl",
    "--user",
    `--machine=${uid}@.host`,
    "show-environment",
  ]);
  const known = ofManager?.code === 0 ? namedLines(ofManager.stdout) : new Map<string, string>();
  const usual = new Map([
    ["XDG_RUNTIME_DIR", `/run/user/${uid}`],
    ["DBUS_SESSION_BUS_ADDRESS", `unix:path=/run/user/${uid}/bus`],
    ["DISPLAY", display],
  ]);
  return ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"]
    .map((name) => [name, known.get(name) ?? usual.get(name) ?? ""] as const)
    .filter(([, value]) => /^[A-Za-z0-9_.:\/@=,-]+$/.test(value))
    .map(([name, value]) => `${name}=${value}`);
}

function namedLines(text: string): Map<string, string> {
  return new Map(
    text.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

/** As that user, in a unit of that name, which ends with the program. */
export function inSession(
  { name, environment }: ScreenUser,
  unit: string,
  argv: readonly string[],
): [program: string, ...args: string[]] {
  return [
    "systemd-run",
    "--quiet",
    "--collect",
    "--wait",
    "--pipe",
    `--unit=${unit}`,
    `--uid=${name}`,
    ...environment.map((variable) => `--setenv=${variable}`),
    "--property=NoNewPrivileges=yes",
    "--",
    ...argv,
  ];
}

/** Starts programs that are found on PATH. */
export const runOnScreen: RunTool = async (argv, input = "") => {
  try {
    return await runTool(argv, { input });
  } catch (error) {
    if (error instanceof AbsentProgram) return null;
    throw error;
  }
};
