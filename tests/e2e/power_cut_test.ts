// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What is said to be done is on the disk before it is said. The evidence is the system calls of the
 * programs themselves, as strace sees them.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type DiskTrace, readDiskTrace, straceWords } from "./disk_trace.ts";
import { type Finished, install, type Installed } from "./installed.ts";
import { writeExecutable } from "../executable.ts";

const CALLS = new URL("./durable-calls.ts", import.meta.url).pathname;

Deno.test("the model of the disk: contents and names, before and after each sync", () => {
  const lines = [
    '7 openat(AT_FDCWD</>, "/d/.f.1", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3</d/.f.1>',
    '7 write(3</d/.f.1>, "a \\" b", 5) = 5',
    "7 fsync(3</d/.f.1>) = 0",
    '7 rename("/d/.f.1", "/d/f") = 0',
    "8 fsync(4</d> <unfinished ...>",
    '7 unlink("/d/old") = 0',
    "8 <... fsync resumed>) = 0",
    "7 fsync(4</d>) = 0",
    '7 write(5</d/g>, "x", 1) = -1 ENOSPC (No space left on device)',
  ];
  const trace = readDiskTrace(lines.join("\n"));
  const unsynced = lines.map((_, at) => trace.unsynced("/d", at).join(", "));
  assertEquals(unsynced, [
    "name /d/.f.1",
    "name /d/.f.1, content of /d/.f.1",
    "name /d/.f.1",
    "name /d/f",
    "name /d/f",
    "name /d/f, no name /d/old",
    "no name /d/old", // that sync had begun before
    "",
    "",
  ]);
});

for (const call of ["write", "replace", "remove", "rename", "symlink", "link", "folder"]) {
  Deno.test(`durable ${call}: nothing is left to the file system when it resolves`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "durable-" });
    try {
      const place = `${folder}/place`;
      const prepare = async (): Promise<void> => {
        await Deno.remove(place, { recursive: true }).catch(() => {});
        await Deno.mkdir(place);
        await Deno.writeTextFile(`${place}/old`, "old");
      };
      await prepare();
      const good = await traced(folder, call, place);
      assertEquals([good.code, good.stdout], [0, "said\n"], good.stderr);
      const said = good.trace.lineOf("write", /^1<.*"said/);
      assert(good.trace.changes(place, said) > 0, "nothing was changed");
      assertEquals(good.trace.unsynced(place, said), []);

      // Each sync fails in turn: then nothing is said.
      let failures = 0;
      for (let failAt = 1;; failAt++) {
        await prepare();
        const fault = ["-e", `inject=fsync:error=EIO:when=${failAt}`];
        const { code, stdout, hit } = await traced(folder, call, place, ...fault);
        if (hit === null) {
          assert(failures > 0, "no sync could be made to fail");
          break;
        }
        if (!hit.startsWith(folder)) continue; // Deno's own, of its cache
        failures++;
        assertNotEquals(code, 0, `sync ${failAt}`);
        assertEquals(stdout, "", `sync ${failAt}`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

interface Traced extends Finished {
  readonly trace: DiskTrace;
  /** What was not synced, by the fault that was to be injected; null if it did not come to be. */
  readonly hit: string | null;
}

async function traced(
  folder: string,
  call: string,
  place: string,
  ...fault: readonly string[]
): Promise<Traced> {
  const file = `${folder}/trace`;
  await Deno.remove(file).catch(() => {});
  const [program = "", ...words] = [
    ...straceWords(file, ...fault),
    ...[Deno.execPath(), "run", "-A", "--no-check", "--quiet", CALLS, call, place],
  ];
  const end = await new Deno.Command(program, { args: words, stdin: "null" }).output();
  const text = await wholeTrace(file);
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return {
    ...{ code: end.code, stdout: decode(end.stdout), stderr: decode(end.stderr) },
    ...{ trace: readDiskTrace(text), hit: faultIn(text) },
  };
}

function faultIn(trace: string): string | null {
  const lines = trace.split("\n");
  const at = lines.findIndex((line) => line.includes("(INJECTED)"));
  if (at < 0) return null;
  const [pid = ""] = lines[at]?.split(" ") ?? [];
  const call = lines.slice(0, at + 1).findLast((line) =>
    line.startsWith(`${pid} `) && line.includes("fsync(")
  );
  return /fsync\([0-9]+<([^>]*)>/.exec(call ?? "")?.[1] ?? "";
}

/** The tracer is a process of its own, which ends a moment after what it traced. */
async function wholeTrace(file: string): Promise<string> {
  for (;;) {
    const text = await Deno.readTextFile(file);
    const [, first = ""] = /^([0-9]+) /.exec(text) ?? [];
    if (new RegExp(`^${first} +\\+\\+\\+ `, "m").test(text)) return text;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("what an operator is told is on the disk, and what runs is on record", async (t) => {
  await using qubes = await install([{ name: "work" }]);
  const { world } = qubes;
  const traces = await traceDom0(qubes);
  const etc = `${world.dom0Root}/etc/qubes`;
  const said = async (words: readonly string[], promise: string, input = ""): Promise<void> => {
    const end = await qubes.dom0(words, input);
    assertEquals(end.code, 0, end.stderr);
    const trace = readDiskTrace(await wholeTrace(await traces.newest()));
    const line = trace.lineOf("write", new RegExp(`^1<.*"${promise}`));
    assert(trace.changes(etc, line) > 0, `${promise}: nothing was changed`);
    assertEquals(trace.unsynced(etc, line), [], promise);
    const audit = `${world.dom0Root}/var/log/qubes/qvm-remote.audit.jsonl`;
    assertEquals(trace.unsynced(audit, line), [], promise);
  };
  const key = crypto.randomUUID().replaceAll("-", "").repeat(2);
  await t.step(
    "authorize",
    () => said(["authorize", "--grant", "full", "--accept-v1", "work"], "Authorized VM", key),
  );
  await t.step("lockdown", () => said(["lockdown"], "Locked down"));
  await t.step("unlock", () => said(["unlock"], "Unlocked"));
  await t.step("revoke", () => said(["revoke", "work"], "Revoked VM"));

  await t.step("a command starts when its request cannot be forgotten any more", async () => {
    await qubes.authorize("work");
    const daemon = await qubes.startDaemon(["work"]);
    const file = await traces.newest();
    for (const mark of ["first", "second"]) {
      const { code } = await qubes.client("work", ["echo", `mark-${mark}`]);
      assertEquals(code, 0);
    }
    assertEquals((await qubes.client("work", ["qvm-prefs", "work", "memory", "800"])).code, 0);
    assertEquals(await daemon.stop(), 0);
    const trace = readDiskTrace(await wholeTrace(file));
    for (const mark of ["first", "second"]) {
      const start = trace.lineOf("execve", new RegExp(`"mark-${mark}"`));
      for (const path of ["/var/lib/qvm-remote/ledger", "/var/log/qubes/qvm-remote.audit.jsonl"]) {
        assert(trace.changes(world.dom0Root + path, start) > 0, `${path} was not written`);
        assertEquals(trace.unsynced(world.dom0Root + path, start), [], `${mark}: ${path}`);
      }
    }
    const change = trace.lineOf("execve", /"qvm-prefs", "work", "memory", "800"/);
    const undo = `${world.dom0Root}/var/lib/qvm-remote/undo`;
    assert(trace.changes(undo, change) > 0, "nothing was kept for an undo");
    assertEquals(trace.unsynced(undo, change), [], "what an undo needs");
  });
});

/** From here on each run of the program in dom0 leaves a trace. */
async function traceDom0({ world }: Installed): Promise<{ newest(): Promise<string> }> {
  const program = `${world.dom0Bin}/qvm-remote-dom0`;
  const folder = `${world.folder}/traces`;
  await Deno.mkdir(folder);
  await Deno.rename(program, `${program}.real`);
  const words = straceWords(`${folder}/$(date +%s%N)`).map((word) => `"${word}"`).join(" ");
  writeExecutable(program, `#!/bin/sh\nexec ${words} "${program}.real" "$@"\n`);
  return {
    async newest() {
      const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
      return `${folder}/${names.sort().at(-1)}`;
    },
  };
}
