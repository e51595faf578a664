// SPDX-License-Identifier: GPL-2.0-or-later
/** qvm-start, -shutdown, -kill, -pause and -unpause. @module */
import { parseToolArgs } from "./tool_args.ts";
import { requiredDomains, stateOf, type ToolContext } from "./tool_context.ts";
import * as life from "./vm_life.ts";
import { VmStateError } from "./vm_life.ts";

const ALL = [["--all", "flag"], ["--exclude", "append"]] as const;

/** Starts VMs. @returns 1 if one could not be started. */
export async function qvmStart(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [...ALL, ["--skip-if-running", "flag"]]);
  const failed = await forEach(context, args, "Starting qube failed:", async (vm) => {
    if (stateOf(context.folder, vm) === "Halted") return await life.startVm(context.folder, vm);
    if (!args.has("--skip-if-running")) throw new VmStateError("Domain is already running");
  });
  return failed > 0 ? 1 : 0;
}

/** Shuts VMs down; those that are halted are fine. @returns how many failed. */
export async function qvmShutdown(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [
    ...ALL,
    ["--wait", "flag"],
    ["--timeout", "value"],
    ["--force", "flag"],
    ["--dry-run", "flag"],
  ]);
  const waits = args.has("--wait") || args.has("--timeout");
  return await forEach(context, args, "Failed to shut down:", async (vm) => {
    if (args.has("--dry-run") || stateOf(context.folder, vm) === "Halted") return;
    if (waits) await life.shutdownVm(context.folder, vm);
    else life.requestShutdown(context.folder, vm);
  });
}

/** Kills VMs; those that are halted are fine. @returns how many failed. */
export async function qvmKill(context: ToolContext): Promise<number> {
  return await forEach(context, parseToolArgs(context.args, ALL), "Failed to kill:", async (vm) => {
    if (stateOf(context.folder, vm) !== "Halted") await life.killVm(context.folder, vm);
  });
}

/** Pauses VMs. @returns 1 if one could not be paused. */
export async function qvmPause(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [...ALL, ["--suspend -S", "flag"]]);
  const verb = args.has("--suspend") ? "suspend" : "pause";
  const failed = await forEach(
    context,
    args,
    `Failed to ${verb}:`,
    (vm) => life.pauseVm(context.folder, vm),
  );
  return failed > 0 ? 1 : 0;
}

/** Lets paused VMs go on. @returns 1 if one could not. */
export async function qvmUnpause(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, ALL);
  const failed = await forEach(
    context,
    args,
    "Failed to unpause/resume:",
    (vm) => life.unpauseVm(context.folder, vm),
  );
  return failed > 0 ? 1 : 0;
}

/** @returns for how many VMs it failed, each with a line on stderr. */
async function forEach(
  context: ToolContext,
  args: ReturnType<typeof parseToolArgs>,
  complaint: string,
  run: (vm: string) => Promise<void>,
): Promise<number> {
  const results = await Promise.all(
    requiredDomains(context, args).map(async ({ name, klass }) => {
      try {
        if (klass === "AdminVM") throw new VmStateError("Not supported for dom0");
        await run(name);
        return 0;
      } catch (error) {
        if (!(error instanceof VmStateError)) throw error;
        context.err(`Error: ${complaint} ${name}: ${error.message}\n`);
        return 1;
      }
    }),
  );
  return results.reduce((sum: number, one) => sum + one, 0);
}
