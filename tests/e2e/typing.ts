// SPDX-License-Identifier: GPL-2.0-or-later
/** Commands of the README and its pages, typed into a simulated Qubes, each where they say. @module */

import { writeAll } from "../../shared/cli/program.ts";
import type { World } from "../sim/world.ts";
import { finish, type Finished } from "./installed.ts";
import { PROJECT } from "./program_flags.ts";
import { writeExecutable } from "../executable.ts";

export interface Typed {
  /** "dom0", or a VM. */
  readonly place: string;
  readonly text: string;
}

/** A command is tried again until it is well, as a person would while services start. */
const PATIENCE_MS = 60_000;
const TRY_EVERY_MS = 200;

export interface Section {
  readonly page: string;
  /** Without one, the whole page. */
  readonly heading?: string;
}

/**
 * The commands of a section's blocks that say where each is typed; some go over several lines.
 *
 * @param places the page's comment -> "dom0" or a VM
 */
export async function commandsOf(
  { page, heading }: Section,
  places: Readonly<Record<string, string>>,
): Promise<readonly Typed[]> {
  const whole = await Deno.readTextFile(`${PROJECT}/${page}`);
  const section = heading === undefined
    ? whole
    : whole.split(/\n(?=## )/).find((part) => part.startsWith(`## ${heading}\n`));
  const blocks = [...(section ?? "").matchAll(/```sh\n([^]*?)```/g)].map(([, text = ""]) => text)
    .filter((text) => Object.hasOwn(places, text.slice(0, text.indexOf("\n"))));
  const commands: Typed[] = [];
  for (const block of blocks) {
    let place = "";
    let text = "";
    for (const line of block.trim().split("\n")) {
      if (line.startsWith("# ") && text === "") {
        if (places[line] === undefined) throw new Error(`where is that? ${line}`);
        place = places[line];
        continue;
      }
      text += text === "" ? line : `\n${line}`;
      const { success, stderr } = await new Deno.Command("bash", { args: ["-n", "-c", text] })
        .output();
      if (!success || stderr.length > 0) continue; // of a here-document without an end it warns
      commands.push({ place, text });
      text = "";
    }
  }
  if (commands.length === 0) throw new Error(`${page} has no commands in "${heading ?? "it"}"`);
  return commands;
}

/**
 * Prints what is typed and what it says.
 *
 * @param isWell whether that is what it should say
 * @throws {Error} if it does not end with 0, and well, in time
 */
export async function typeUntilWell(
  world: World,
  command: Typed,
  isWell: (stdout: string) => boolean = () => true,
): Promise<string> {
  writeAll(Deno.stdout, `${command.place}$ ${command.text}\n`);
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { code, stdout, stderr } = await type(world, command);
    if (code === 0 && isWell(stdout)) {
      writeAll(Deno.stdout, stdout);
      return stdout;
    }
    if (performance.now() > endMs) throw new Error(`${code}: ${stdout}${stderr}`);
    await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
  }
}

/** With "yes" for whoever asks in dom0. */
async function type(world: World, { place, text }: Typed): Promise<Finished> {
  const argv = ["bash", "-c", text.replace(/\bcurl /, "curl --fail --silent --show-error ")];
  if (place !== "dom0") {
    const env = { QUBES_CLAW_ROOT: world.vmRoot(place), USER: "user" };
    return await finish(world.runInVm(place, argv, { env, stdout: "piped", stderr: "piped" }));
  }
  const child = new Deno.Command("bash", {
    ...{ args: argv.slice(1), clearEnv: true, env: world.dom0Env() },
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  return await finish(child, "yes\n");
}

export function writeProgram(path: string, text: string): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  writeExecutable(path, text);
}
