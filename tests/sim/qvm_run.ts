// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * qvm-run: a command in a VM, by way of qrexec-client and qubes.VMShell.
 *
 * The traps of the real one are kept (qrexec.md 4.5): the command goes to a
 * shell as "COMMAND; exit" in front of the caller's stdin; an argv goes encoded
 * into the name of a service; ending qvm-run does not end its qrexec-client.
 *
 * @module
 */
import { parseToolArgs, type ToolArgs, ToolRuntimeError, ToolUsageError } from "./tool_args.ts";
import { oneDomain, requiredDomains, stateOf, type ToolContext } from "./tool_context.ts";
import { worldPaths } from "./layout.ts";
import { killVm, startVm, unpauseVm, VmStateError } from "./vm_life.ts";
import { changeWorld, findVm, readWorld, type VmConfig } from "./world_config.ts";
import { buildVm, removeVmFolder } from "./world_folder.ts";

const OPTIONS = [
  ["--user -u", "value"],
  ["--autostart --auto -a", "flag"],
  ["--no-autostart --no-auto -n", "flag"],
  ["--pass-io -p", "flag"],
  ["--gui", "flag"],
  ["--no-gui --nogui", "flag"],
  ["--filter-escape-chars", "flag"],
  ["--no-filter-escape-chars", "flag"],
  ["--no-colour-output --no-color-output", "flag"],
  ["--no-colour-stderr --no-color-stderr", "flag"],
  ["--service", "flag"],
  ["--no-shell", "flag"],
  ["--all", "flag"],
  ["--exclude", "append"],
  ["--dispvm", "value"],
] as const;
/** What an exception out of main() becomes. */
const EXIT_QUBES_ERROR = 255;

/** @returns the exit code of the command, the highest one if there are several. */
export async function qvmRun(context: ToolContext): Promise<number> {
  const namesNone = context.args.some((arg) => /^--(all|dispvm)(=|$)/.test(arg));
  const args = parseToolArgs(context.args, OPTIONS, namesNone ? 1 : 2);
  const [command, ...commandArgs] = namesNone ? args.words : args.words.slice(1);
  if (args.words.length === 0 || command === undefined) {
    throw new ToolUsageError("the following arguments are required: COMMAND");
  }
  if (args.has("--service") && args.has("--no-shell")) {
    throw new ToolUsageError("--no-shell does not apply to --service");
  }
  const base = args.value("--dispvm");
  await using disposable = base === undefined ? null : await makeDisposable(context, base);
  const domains = disposable !== null
    ? [disposable.vm]
    : args.has("--all")
    ? requiredDomains(context, { ...args, words: [] })
      .filter((vm) => stateOf(context.folder, vm.name) === "Running")
    : [oneDomain(context, args.words[0])];
  const say = (text: string) => args.has("--pass-io") || args.has("--quiet") || context.err(text);
  let worst = 0;
  const running: { vm: VmConfig; child: Deno.ChildProcess }[] = [];
  for (const vm of domains) {
    const obstacle = await bringUp(context, vm.name, !args.has("--no-autostart"));
    if (obstacle === "failed") return EXIT_QUBES_ERROR;
    if (obstacle !== undefined) {
      say(obstacle);
      worst = Math.max(worst, 1);
      continue;
    }
    say(`Running '${command}' on ${vm.name}\n`);
    running.push({ vm, child: startClient(context, args, vm, command, commandArgs) });
  }
  Deno.addSignalListener("SIGINT", () => {
    for (const { child } of running) child.kill("SIGINT");
  });
  for (const { vm, child } of running) {
    const { code, signal } = await child.status;
    if (signal !== null) continue; // Python counts a signal as below zero
    if (code !== 0) say(`${vm.name}: command failed with code: ${code}\n`);
    worst = Math.max(worst, code);
  }
  return worst;
}

interface Disposable extends AsyncDisposable {
  readonly vm: VmConfig;
}

/** Killed and removed when the command has ended. */
async function makeDisposable(
  { folder }: ToolContext,
  base: string,
): Promise<Disposable> {
  const template = findVm(readWorld(folder), base);
  if (template === undefined) throw new ToolRuntimeError("Domain not found");
  const name = `disp${1 + Math.floor(Math.random() * 9999)}`;
  const vm: VmConfig = {
    ...template,
    name,
    klass: "DispVM",
    prefs: { ...template.prefs, template: base },
  };
  await changeWorld(folder, (now) => ({ ...now, vms: [...now.vms, vm] }));
  await buildVm(folder, name);
  return {
    vm,
    async [Symbol.asyncDispose]() {
      if (stateOf(folder, name) !== "Halted") await killVm(folder, name);
      await changeWorld(folder, (now) => ({
        ...now,
        vms: now.vms.filter((one) => one.name !== name),
      }));
      await removeVmFolder(folder, name);
    },
  };
}

/** @returns undefined when calls can be made, otherwise what stands against it. */
async function bringUp(
  context: ToolContext,
  vm: string,
  autostart: boolean,
): Promise<string | undefined> {
  const state = stateOf(context.folder, vm);
  if (!autostart && state === "Halted") return `Qube '${vm}' not started\n`;
  if (!autostart && state === "Paused") return `Qube '${vm}' is paused\n`;
  try {
    if (state === "Halted") await startVm(context.folder, vm);
    if (state === "Paused") await unpauseVm(context.folder, vm);
    return undefined;
  } catch (error) {
    if (!(error instanceof VmStateError)) throw error;
    context.err(`${vm}: ${error.message}\n`);
    return "failed";
  }
}

function startClient(
  context: ToolContext,
  args: ToolArgs,
  vm: VmConfig,
  command: string,
  commandArgs: readonly string[],
): Deno.ChildProcess {
  const isExec = !args.has("--service") && (commandArgs.length > 0 || args.has("--no-shell"));
  const service = args.has("--service")
    ? command
    : isExec
    ? `qubes.VMExec+${encodeForVmexec([command, ...commandArgs])}`
    : "qubes.VMShell";
  const isPassed = args.has("--pass-io");
  const isFiltered = isPassed && !args.has("--no-filter-escape-chars") &&
    (args.has("--filter-escape-chars") || Deno.stdout.isTerminal());
  const io = isPassed ? "inherit" : "null";
  const fullService = service.includes("+") ? service : `${service}+`;
  const clientArgs = [
    "-d",
    vm.name,
    ...(isFiltered ? ["-t"] : []),
    ...(isFiltered || Deno.stderr.isTerminal() ? ["-T"] : []),
    ...(!isPassed && args.has("--service") ? ["-e"] : []),
    ...(service === "qubes.VMShell" ? ["-p", `${command.replace(/\n+$/, "")}; exit\n`] : []),
    `${args.value("--user") ?? "DEFAULT"}:QUBESRPC ${fullService} dom0`,
  ];
  return new Deno.Command(`${worldPaths(context.folder).dom0Bin}/qrexec-client`, {
    args: clientArgs,
    stdin: io,
    stdout: io,
    stderr: io,
  }).spawn();
}

/** Letters, digits, "." and "_" stay; "-" is doubled; any other byte is "-" and its hex. */
function encodeForVmexec(argv: readonly string[]): string {
  return argv.map((word) =>
    [...new TextEncoder().encode(word)].map((byte) => {
      const char = String.fromCharCode(byte);
      if (/[A-Za-z0-9._]/.test(char)) return char;
      return char === "-" ? "--" : `-${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    }).join("")
  ).join("+");
}
