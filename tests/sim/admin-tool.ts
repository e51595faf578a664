// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The qvm-* programs of the simulated dom0, and qubesdb-read of its VMs: one
 * program with many names, as busybox is. Arguments: world, name, arguments.
 *
 * @module
 */
import { qubesdbRead } from "./qubesdb_read.ts";
import { qvmBackup, qvmBackupRestore } from "./qvm_backup.ts";
import { qvmCheck } from "./qvm_check.ts";
import { qvmCreate, qvmRemove } from "./qvm_create.ts";
import { qvmDevice } from "./qvm_device.ts";
import { qvmFirewall } from "./qvm_firewall.ts";
import { qvmLs } from "./qvm_ls.ts";
import { qvmKill, qvmPause, qvmShutdown, qvmStart, qvmUnpause } from "./qvm_power.ts";
import { qvmRun } from "./qvm_run.ts";
import { qubesPrefs, qvmFeatures, qvmPrefs, qvmService, qvmTags } from "./qvm_settings.ts";
import { systemctl } from "./systemctl.ts";
import { ToolRuntimeError, ToolUsageError } from "./tool_args.ts";
import type { Tool, ToolContext } from "./tool_context.ts";

const TOOLS: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  ["qubes-prefs", qubesPrefs],
  ["qubesdb-read", qubesdbRead],
  ["qvm-backup", qvmBackup],
  ["qvm-backup-restore", qvmBackupRestore],
  ["qvm-check", qvmCheck],
  ["qvm-create", qvmCreate],
  ["qvm-device", qvmDevice],
  ["qvm-features", qvmFeatures],
  ["qvm-firewall", qvmFirewall],
  ["qvm-kill", qvmKill],
  ["qvm-ls", qvmLs],
  ["qvm-pause", qvmPause],
  ["qvm-prefs", qvmPrefs],
  ["qvm-remove", qvmRemove],
  ["qvm-run", qvmRun],
  ["qvm-service", qvmService],
  ["qvm-shutdown", qvmShutdown],
  ["qvm-start", qvmStart],
  ["qvm-tags", qvmTags],
  ["qvm-unpause", qvmUnpause],
  ["systemctl", systemctl],
]);
const EXIT_USAGE = 2;

async function main([folder = "", program = "", ...args]: readonly string[]): Promise<number> {
  const tool = TOOLS.get(program);
  if (tool === undefined) throw new Error(`no program "${program}"`);
  const encode = (text: string) => new TextEncoder().encode(text);
  const context: ToolContext = {
    folder,
    program,
    args,
    out: (text) => void Deno.stdout.writeSync(encode(text)),
    err: (text) => void Deno.stderr.writeSync(encode(text)),
  };
  if (args[0] === "--help" || args[0] === "-h") {
    context.out(`usage: ${program} [options] ...\n`);
    return 0;
  }
  try {
    return await tool(context);
  } catch (error) {
    if (error instanceof ToolUsageError) {
      context.err(`usage: ${program} [options] ...\n${program}: error: ${error.message}\n`);
      return EXIT_USAGE;
    }
    if (error instanceof ToolRuntimeError) {
      context.err(`${program}: error: ${error.message}\n`);
      return 1;
    }
    throw error;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
