// SPDX-License-Identifier: GPL-2.0-or-later
/** What both programs called openclaw-tunnel have in common. @module */

import { writeAll } from "../cli/program.ts";
import { createNotifier } from "../io/sd_notify.ts";
import { ifPresentSync } from "../io/sync_files.ts";
import { DEFAULT_GRANT_PAGES } from "./carry/call_budget.ts";
import type { TunnelProgram } from "./cli.ts";
import type { Place } from "./place.ts";

/** QUBES_CLAW_ROOT, put in front of every path: for tests and demos. */
export function rootFolder(): string {
  return Deno.env.get("QUBES_CLAW_ROOT") ?? "";
}

/** A user's tunnel, as openclaw-connect starts it, cannot write where the system's do. */
function ownRuntimeFolder(): string | undefined {
  const folder = Deno.env.get("XDG_RUNTIME_DIR");
  return folder === undefined || folder === "" ? undefined : `${folder}/openclaw`;
}

/**
 * The kernel's limit of pages for vchans, which the units pass on in a file: Deno lets only programs
 * with every permission read /sys. The kernel's default if there is no such file.
 */
function grantPages(folder: string): number {
  const text = ifPresentSync(() => Deno.readTextFileSync(`${folder}/grant-pages`))?.trim() ?? "";
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : DEFAULT_GRANT_PAGES;
}

/** Where things are, and what ends the program. */
export function realTunnelProgram(place: Place, confFiles: readonly string[]): TunnelProgram {
  const root = rootFolder();
  const stop = new AbortController();
  const systemFolder = `${root}/run/openclaw`;
  const userFolder = place.name === "VM" ? ownRuntimeFolder() : undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  return {
    place,
    confFiles,
    runFolders: userFolder === undefined ? [systemFolder] : [systemFolder, userFolder],
    ownRunFolder: userFolder ?? systemFolder,
    stateFolder: Deno.env.get("RUNTIME_DIRECTORY"),
    grantPages: grantPages(systemFolder),
    notifier: createNotifier({
      notifySocket: Deno.env.get("NOTIFY_SOCKET"),
      watchdogUsec: undefined, // an idle tunnel does nothing at all
    }),
    print: (text) => writeAll(Deno.stdout, text),
    stop: stop.signal,
  };
}
