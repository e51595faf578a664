// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The formula without Salt: states rendered by render.py, and applied as Salt would, in their order,
 * over a simulated Qubes. Real salt-call is in no Debian; so what it does with these few functions is
 * here, by their documentation (docs.saltproject.io, and the README of qubes-mgmt-salt-dom0-qvm).
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { finish, type Finished } from "../e2e/installed.ts";

const RENDER = new URL("render.py", import.meta.url).pathname;

/** What a state is given, by name. */
export type Arguments = Readonly<Record<string, unknown>>;
export interface State {
  readonly id: string;
  /** "cmd.run". */
  readonly does: string;
  readonly with: Arguments;
}

export interface Rendering {
  /** Below shared/packaging/salt. */
  readonly file: string;
  /** Texts of YAML, merged as pillars are. */
  readonly pillar: readonly string[];
  /** For which qube. */
  readonly id: string;
}

/** A file of the formula, as Salt reads it. @throws {Error} with what Salt would say */
export async function render(wish: Rendering): Promise<unknown> {
  const child = new Deno.Command("/usr/bin/python3", {
    args: [RENDER],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const { code, stdout, stderr } = await finish(child, JSON.stringify(wish));
  if (code !== 0) throw new Error(stderr.trim());
  return JSON.parse(stdout);
}

type Rendered = Readonly<Record<string, Readonly<Record<string, readonly Arguments[]>>>>;

export async function renderStates(wish: Rendering): Promise<readonly State[]> {
  const states = await render(wish) as Rendered | null;
  return Object.entries(states ?? {}).flatMap(([id, functions]) =>
    Object.entries(functions).map(([does, given]): State => ({
      ...{ id, does },
      with: Object.assign({ name: id }, ...given),
    }))
  );
}

/** Where states are applied: dom0, or a VM. */
export interface Minion {
  /** In front of every absolute path. */
  readonly root: string;
  run(words: readonly string[]): Promise<Finished>;
  /** The packages that are there; a simulated Qubes has none. */
  readonly packages: Set<string>;
}

export interface Applied {
  readonly id: string;
  readonly result: "changed" | "same" | "failed";
  readonly said: string;
}

type Applier = (minion: Minion, args: Arguments) => Promise<Omit<Applied, "id">>;

const SAME = { result: "same", said: "" } as const;
const CHANGED = { result: "changed", said: "" } as const;

const APPLIERS: ReadonlyMap<string, Applier> = new Map<string, Applier>([
  ["cmd.run", runCommand],
  ["file.managed", manageFile],
  ["file.symlink", makeLink],
  ["pkg.installed", installPackages],
  ["qvm.tags", addTags],
  ["service.running", runService],
]);

/** One after the other; what needs one that failed is not tried. */
export async function apply(
  minion: Minion,
  states: readonly State[],
): Promise<readonly Applied[]> {
  const applied: Applied[] = [];
  for (const { id, does, with: given } of states) {
    const needed = [given["require"] ?? []].flat().map((one) =>
      typeof one === "string" ? one : String(Object.values(one as object)[0])
    );
    const broken = needed.find((name) =>
      applied.every((done) => done.id !== name || done.result === "failed")
    );
    const applier = APPLIERS.get(does);
    if (applier === undefined) throw new Error(`this test knows no ${does}`);
    applied.push({
      id,
      ...broken === undefined
        ? await applier(minion, given)
        : { result: "failed", said: `${broken} failed` },
    });
  }
  return applied;
}

/** A command's text for this minion: its folders are below its root. */
const below = ({ root }: Minion, text: string): string =>
  text.replace(/(?<=^|[\s'"])\/(?=etc|usr|home)/g, `${root}/`);

const shell = (minion: Minion, text: unknown): Promise<Finished> =>
  minion.run(["/bin/sh", "-c", below(minion, String(text))]);

async function runCommand(minion: Minion, args: Arguments): Promise<Omit<Applied, "id">> {
  const { name, unless, onlyif, creates } = args;
  if (unless !== undefined && (await shell(minion, unless)).code === 0) return SAME;
  if (onlyif !== undefined && (await shell(minion, onlyif)).code !== 0) return SAME;
  if (creates !== undefined && isThere(below(minion, String(creates)))) return SAME;
  const { code, stdout, stderr } = await shell(minion, name);
  return { result: code === 0 ? "changed" : "failed", said: stdout + stderr };
}

async function manageFile(minion: Minion, args: Arguments): Promise<Omit<Applied, "id">> {
  const { name, contents, mode, makedirs = false } = args;
  const path = below(minion, String(name));
  const text = String(contents).replace(/\n?$/, "\n"); // contents_newline
  const old = await Deno.readTextFile(path).catch(() => null);
  const oldMode = old === null ? 0 : (Deno.statSync(path).mode ?? 0) & 0o7777;
  if (old === text && oldMode === parseInt(String(mode), 8)) return SAME;
  if (makedirs === true) await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, parseInt(String(mode), 8));
  return CHANGED;
}

async function makeLink(minion: Minion, args: Arguments): Promise<Omit<Applied, "id">> {
  const path = below(minion, String(args["name"]));
  const target = String(args["target"]);
  if (await Deno.readLink(path).catch(() => null) === target) return SAME;
  if (args["makedirs"] === true) await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.symlink(target, path);
  return CHANGED;
}

function installPackages(minion: Minion, args: Arguments): Promise<Omit<Applied, "id">> {
  const { pkgs = [], sources = [] } = args;
  const names = [
    ...pkgs as readonly string[],
    ...(sources as readonly object[]).flatMap((one) => Object.keys(one)),
  ];
  const missing = names.filter((name) => !minion.packages.has(name));
  for (const name of missing) minion.packages.add(name);
  return Promise.resolve(missing.length === 0 ? SAME : CHANGED);
}

async function addTags(minion: Minion, args: Arguments): Promise<Omit<Applied, "id">> {
  const vm = String(args["name"]);
  const { code, stdout, stderr } = await minion.run(["qvm-tags", vm, "list"]);
  if (code !== 0) return { result: "failed", said: stderr };
  const missing = (args["add"] as readonly string[]).filter((tag) =>
    !stdout.split("\n").includes(tag)
  );
  if (missing.length === 0) return SAME;
  const done = await minion.run(["qvm-tags", vm, "add", ...missing]);
  return { result: done.code === 0 ? "changed" : "failed", said: done.stderr };
}

async function runService(minion: Minion, args: Arguments): Promise<Omit<Applied, "id">> {
  const unit = `${args["name"]}.service`;
  const asked = await Promise.all(
    ["is-enabled", "is-active"].map((verb) => minion.run(["systemctl", "--quiet", verb, unit])),
  );
  if (asked.every(({ code }) => code === 0)) return SAME;
  const done = await minion.run(["systemctl", "enable", "--now", unit]);
  return { result: done.code === 0 ? "changed" : "failed", said: done.stderr };
}

function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    return false;
  }
}
