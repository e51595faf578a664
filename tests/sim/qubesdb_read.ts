// SPDX-License-Identifier: GPL-2.0-or-later
/** qubesdb-read: what a VM can ask of its own QubesDB. @module */
import { ownVm } from "./own_vm.ts";
import { parseToolArgs } from "./tool_args.ts";
import { type ToolContext } from "./tool_context.ts";
import { findVm, readWorld } from "./world_config.ts";

/** Prints the value of each path. @returns 1 if one is not there. */
export function qubesdbRead(context: ToolContext): number {
  const { words } = parseToolArgs(context.args, [["--raw -r", "flag"]]);
  const vm = findVm(readWorld(context.folder), ownVm(context.folder));
  const entries: ReadonlyMap<string, string> = new Map([
    ["/name", vm?.name ?? ""],
    ["/type", vm?.klass ?? ""],
    // The words of Qubes 3: a StandaloneVM is an AppVM there.
    ["/qubes-vm-type", vm?.klass === "TemplateVM" ? "TemplateVM" : "AppVM"],
    ["/qubes-base-template", vm?.prefs["template"] ?? ""],
    ["/qubes-debug-mode", vm?.prefs["debug"] === "True" ? "1" : "0"],
    ["/default-user", vm?.prefs["default_user"] ?? "user"],
    [
      "/qubes-vm-persistence",
      vm?.klass === "AppVM" ? "rw-only" : vm?.klass === "DispVM" ? "none" : "full",
    ],
  ]);
  let code = 0;
  for (const path of words) {
    const value = entries.get(path);
    if (value === undefined) {
      context.err(`Failed to read ${path}\n`);
      code = 1;
    } else context.out(`${value}\n`);
  }
  return code;
}
