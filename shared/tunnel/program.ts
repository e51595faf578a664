// SPDX-License-Identifier: GPL-2.0-or-later
/** What both programs called openclaw-tunnel have in common. @module */

import { writeAll } from "../io/program.ts";
import { createNotifier } from "../io/sd_notify.ts";
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

/** Where things are, and what ends the program. */
export function realTunnelProgram(place: Place): TunnelProgram {
  const root = rootFolder();
  const stop = new AbortController();
  const systemFolder = `${root}/run/openclaw`;
  const userFolder = place.name === "VM" ? ownRuntimeFolder() : undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  return {
    place,
    confFile: `${root}/etc/qubes/openclaw.conf`,
    runFolders: userFolder === undefined ? [systemFolder] : [systemFolder, userFolder],
    ownRunFolder: userFolder ?? systemFolder,
    stateFolder: Deno.env.get("RUNTIME_DIRECTORY"),
    notifier: createNotifier({
      notifySocket: Deno.env.get("NOTIFY_SOCKET"),
      watchdogUsec: undefined, // an idle tunnel does nothing at all
    }),
    print: (text) => writeAll(Deno.stdout, text),
    stop: stop.signal,
  };
}
