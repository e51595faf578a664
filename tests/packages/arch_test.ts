// SPDX-License-Identifier: GPL-2.0-or-later
/** The packages of a template that is an Arch, by pacman itself, in a folder. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { VERSION } from "../../shared/io/version.ts";
import { writeExecutable } from "../executable.ts";
import { DIST, good } from "./dist.ts";

const NAMES = ["qubes-claw-runtime", "qubes-claw-vm", "qvm-remote"];

function filesIn(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? filesIn(path) : [path];
  });
}

/** The client of the package, by the Deno of the package: a key, and a request that nobody answers. */
async function clientRuns(tree: string, root: string): Promise<void> {
  const launcher = `${root}/qvm-remote`;
  const installed = await Deno.readTextFile(`${tree}/usr/bin/qvm-remote`);
  writeExecutable(launcher, installed.replace(/^lib=.*$/m, `lib=${tree}/usr/lib/qubes-claw`));
  const home = `${root}/home`;
  await Deno.mkdir(home);
  const client = (...words: readonly string[]): Promise<Deno.CommandOutput> =>
    new Deno.Command(launcher, { args: [...words], env: { HOME: home } }).output();
  const text = new TextDecoder();
  assertMatch(text.decode((await client("--version")).stdout), new RegExp(`${VERSION}`));
  assertMatch(text.decode((await client("key", "gen")).stdout), /^([0-9a-f]{4}-?){8}\n$/);
  const asked = await client("--connect-timeout", "1", "true");
  assertEquals(asked.code, 255);
  assertMatch(text.decode(asked.stderr), /dom0 has never connected to this VM/);
}

Deno.test("arch: installed, looked through, run, removed", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/db`);
    await Deno.writeTextFile(
      `${root}/pacman.conf`,
      "[options]\nArchitecture = x86_64\nSigLevel = Never\n",
    );
    const pacman = (...words: readonly string[]): Promise<string> =>
      good(
        "pacman",
        "--root",
        `${root}/tree`,
        "--dbpath",
        `${root}/db`,
        "--config",
        `${root}/pacman.conf`,
        ...words,
      );
    await Deno.mkdir(`${root}/tree`);
    const files = [...Deno.readDirSync(DIST)].map(({ name }) => name)
      .filter((name) => /\.pkg\.tar\./.test(name) && name.includes(`-${VERSION}-1-`));
    assertEquals(files.length, NAMES.length, files.join());
    const quiet = ["--noconfirm", "--nodeps", "--nodeps", "--noscriptlet"];
    await pacman("--upgrade", ...quiet, ...files.map((name) => `${DIST}/${name}`));
    const looked = await pacman("--query", "--check", "--check");
    for (const name of NAMES) assertMatch(looked, new RegExp(`^${name}: .* 0 altered files$`, "m"));
    const launcher = Deno.statSync(`${root}/tree/usr/bin/qvm-remote`);
    assertEquals((launcher.mode ?? 0) & 0o777, 0o755);
    assert(filesIn(`${root}/tree`).length > 40);
    await clientRuns(`${root}/tree`, root);
    await pacman("--remove", ...quiet, ...NAMES);
    assertEquals(filesIn(`${root}/tree`).filter((path) => !path.includes("/var/log/")), []);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
