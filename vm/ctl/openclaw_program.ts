// SPDX-License-Identifier: GPL-2.0-or-later
/** OpenClaw's own program: where setup-vm put it, and running it. It costs 1 to 6 s a call. @module */

import { exists } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import type { Ran } from "../probe/run_program.ts";
import type { CtlPlaces, Scene } from "./scene.ts";

/** On a loaded machine a start alone was seen to take 15 s. */
const OPENCLAW_MS = 90_000;

/** In a StandaloneVM or template, and in an AppVM. */
export function openclawFolders({ home, root }: CtlPlaces): readonly string[] {
  return [`${root}/usr/lib/qubes-claw/openclaw`, `${home}/.local/lib/qubes-claw/openclaw`];
}

/** @returns the folder, or null if it is not installed */
export async function openclawFolder(places: CtlPlaces): Promise<string | null> {
  for (const folder of openclawFolders(places)) {
    if (await exists(`${folder}/bin/openclaw`)) return folder;
  }
  return null;
}

/** @throws {UserError} if it is not installed, or takes too long */
export async function runOpenclaw(
  { places, run, settings }: Pick<Scene, "places" | "run" | "settings">,
  words: readonly string[],
): Promise<Ran> {
  if (settings.role !== "agent") {
    throw new UserError("OpenClaw runs in the agent VM, and this is not one", [
      `run it there: openclaw-ctl ${words[0] === "cron" ? "cron" : "…"}`,
    ]);
  }
  const folder = await openclawFolder(places);
  if (folder === null) {
    throw new UserError("OpenClaw is not installed", [
      `looked for: ${openclawFolders(places).map((one) => `${one}/bin/openclaw`).join(", ")}`,
      'run "setup-vm PROVIDER"',
    ]);
  }
  return await run([`${folder}/bin/openclaw`, ...words], OPENCLAW_MS);
}
