// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A simulated Qubes to play with, from a terminal or from a Makefile.
 *
 *     sim_cli.ts create FOLDER [--own-networks] VM[:tag,tag]...    all VMs halted
 *     sim_cli.ts start FOLDER [VM...]             no name: all of them
 *     sim_cli.ts shell FOLDER VM                  a shell in the VM
 *     sim_cli.ts dom0 FOLDER                      a shell in dom0
 *     sim_cli.ts stop FOLDER                      ends everything, removes FOLDER
 *
 * After `--` in `shell` and `dom0` comes a command instead of a shell.
 *
 * @module
 */
import { dom0Environment, vmEnvironment } from "./environment.ts";
import { vmPaths, worldPaths } from "./layout.ts";
import { powerState } from "./vm_domain.ts";
import { createWorld, openWorld } from "./world.ts";
import { findVm, readWorld } from "./world_config.ts";

const EXIT_USAGE = 2;
const USAGE =
  "usage: sim_cli.ts create FOLDER [--own-networks] VM[:tag,tag]... | start FOLDER [VM...] | " +
  "shell FOLDER VM [-- COMMAND...] | dom0 FOLDER [-- COMMAND...] | stop FOLDER\n";

async function main(args: readonly string[]): Promise<number> {
  const [verb, folderText, ...rest] = args;
  if (folderText === undefined) return usage();
  const split = rest.indexOf("--");
  const words = split < 0 ? rest : rest.slice(0, split);
  const command = split < 0 ? ["/bin/bash", "--norc"] : rest.slice(split + 1);
  if (verb === "create") return await create(folderText, words);
  const folder = await Deno.realPath(folderText);
  switch (verb) {
    case "start":
      return await start(folder, words);
    case "shell": {
      const [vm = ""] = words;
      if (findVm(readWorld(folder), vm) === undefined) return complain(`no VM "${vm}"`);
      if (powerState(folder, vm) === "Halted") return complain(`VM "${vm}" is halted`);
      const env = { ...vmEnvironment(folder, readWorld(folder), vm), PS1: `[user@${vm} \\W]$ ` };
      return await run(command, env, vmPaths(folder, vm).home);
    }
    case "dom0": {
      const env = { ...dom0Environment(folder, readWorld(folder)), PS1: "[root@dom0 \\W]# " };
      return await run(command, env, worldPaths(folder).dom0Home);
    }
    case "stop":
      await openWorld(folder).dispose();
      return 0;
    default:
      return usage();
  }
}

async function create(folder: string, words: readonly string[]): Promise<number> {
  await Deno.mkdir(folder, { recursive: true });
  const ownNetworks = words[0] === "--own-networks";
  const vms = (ownNetworks ? words.slice(1) : words).map((word) => {
    const [name = "", tags] = word.split(":");
    return { name, tags: tags?.split(",") ?? [], running: false };
  });
  await createWorld({ folder: await Deno.realPath(folder), vms, ownNetworks, isLasting: true });
  return 0;
}

async function start(folder: string, words: readonly string[]): Promise<number> {
  const world = openWorld(folder);
  const names = words.length > 0 ? words : readWorld(folder).vms.map((vm) => vm.name);
  const halted = names.filter((name) => world.powerState(name) === "Halted");
  await Promise.all(halted.map((name) => world.startVm(name)));
  return 0;
}

/** The shell takes over our terminal. A stopped world ends it, too: it carries the marks. */
async function run(
  [program = "", ...args]: readonly string[],
  env: Record<string, string>,
  cwd: string,
): Promise<number> {
  const TERM = Deno.env.get("TERM") ?? "dumb";
  Deno.addSignalListener("SIGINT", () => {}); // the shell's business
  const child = new Deno.Command(program, { args, clearEnv: true, env: { ...env, TERM }, cwd });
  return (await child.spawn().status).code;
}

function usage(): number {
  Deno.stderr.writeSync(new TextEncoder().encode(USAGE));
  return EXIT_USAGE;
}

function complain(text: string): number {
  Deno.stderr.writeSync(new TextEncoder().encode(`sim_cli: error: ${text}\n`));
  return 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
