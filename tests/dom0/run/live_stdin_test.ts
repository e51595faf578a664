// SPDX-License-Identifier: GPL-2.0-or-later
/** The stdin of a command that reads a live stream ends where the stream does, and nowhere else. */

import { assertEquals } from "@std/assert";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { startCommandsUnit } from "../../../dom0/run/commands_unit.ts";
import { keepOpen } from "../../../dom0/run/live_stdin.ts";
import { createWardens, type LiveWarden, type SpawnWarden } from "../../../dom0/run/wardens.ts";
import { isPresent } from "../../../shared/io/sync_files.ts";
import { processesWith, until, withFolder } from "../fixture.ts";

/** `cat`, which says when it has seen the end. */
function startCat(folder: string, keeper: string, spawn?: SpawnWarden): LiveWarden {
  const wardens = createWardens({ newCgroup: () => "", dropCgroup() {} }, spawn);
  const words = ["sh", "-c", `cat >'${folder}/read'; touch '${folder}/ended'`];
  const order = ["99", "99999999", "-", "1", "PATH=/usr/bin:/bin", ...words, "go"];
  const warden = wardens.startLive(order, keeper);
  wardens.close();
  return warden;
}

const hasRead = (folder: string, text: string): boolean =>
  isPresent(`${folder}/read`) && Deno.readTextFileSync(`${folder}/read`) === text;

async function finish({ child }: LiveWarden): Promise<number> {
  await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
  return (await child.status).code;
}

/** In a unit of systemd's, another process starts it. */
for (const isInUnit of [false, true]) {
  const where = isInUnit ? "in a unit" : "as a child";
  Deno.test(`live stdin, ${where}: the end is seen when the keeper is told`, () =>
    withFolder((folder) => isInUnit ? inUnit(folder) : seeEnd(folder)));
}

async function inUnit(folder: string): Promise<void> {
  const unit = await startCommandsUnit(["/usr/bin/env"]);
  await seeEnd(folder, unit.spawn);
  unit.close();
}

async function seeEnd(folder: string, spawn?: SpawnWarden): Promise<void> {
  const kept = keepOpen(`${folder}/one.live`);
  const warden = startCat(folder, kept.path, spawn);
  await warden.stdin.write(utf8("hello"));
  await until("it is read", () => hasRead(folder, "hello"));
  await until("it has a keeper", () => processesWith(kept.path).length === 1);
  kept.letGo();
  await warden.stdin.close();
  assertEquals([await finish(warden), isPresent(`${folder}/ended`)], [0, true]);
  assertEquals(isPresent(kept.path), false);
  await until("no keeper is left", () => processesWith(kept.path).length === 0);
}

Deno.test("live stdin: a daemon that ends is no end, and a TERM to the keeper is none", () =>
  withFolder(async (folder) => {
    // Another process has the lock, as the daemon has it, and is killed.
    const file = `${folder}/two.live`;
    Deno.writeTextFileSync(file, "");
    const daemon = new Deno.Command("flock", {
      args: [file, "cat"],
      stdin: "piped",
      stdout: "null",
    })
      .spawn();
    const warden = startCat(folder, file);
    await warden.stdin.write(utf8("hello"));
    await until("it is read", () => hasRead(folder, "hello"));
    await warden.stdin.close();
    const keepers = processesWith(file).filter((pid) => pid !== daemon.pid);
    for (const pid of keepers) Deno.kill(pid, "SIGTERM");
    await daemon.stdin.close(); // it lets go of the lock, and has said nothing
    await daemon.status;
    const waits = (pid: number): boolean =>
      Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`) !== "";
    await until("the keeper waits for the command", () => {
      const [keeper, ...others] = processesWith("two.live").filter((pid) => isBash(pid));
      return keeper !== undefined && others.length === 0 && waits(keeper);
    });
    assertEquals(isPresent(`${folder}/ended`), false);
    Deno.kill(warden.child.pid, "SIGKILL");
    await until("no keeper is left", () => processesWith("two.live").length === 0);
    for (const pid of processesWith(`${folder}/read`)) Deno.kill(pid, "SIGKILL");
    await finish(warden);
  }));

function isBash(pid: number): boolean {
  return Deno.readTextFileSync(`/proc/${pid}/cmdline`).startsWith("/bin/bash");
}
