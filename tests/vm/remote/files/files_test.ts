// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../../shared/cli/program.ts";
import { audit, localTime, MAX_AUDIT_BYTES } from "../../../../vm/remote/files/audit_log.ts";
import { layoutOf, prepareFolders } from "../../../../vm/remote/files/layout.ts";
import { shellQuote } from "../../../../shared/protocol/command.ts";
import { lastLines } from "../../../../vm/remote/client/tail.ts";

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "qvm-remote-files-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("layoutOf() wants an absolute HOME", () => {
  for (const home of [undefined, "", "home"]) assertThrows(() => layoutOf(home), UserError);
});

Deno.test("prepareFolders() closes what was open, and takes over the old folder", async () => {
  await inFolder(async (home) => {
    const layout = layoutOf(home);
    await Deno.mkdir(`${layout.legacyBase}/queue/pending`, { recursive: true, mode: 0o755 });
    await Deno.writeTextFile(`${layout.legacyBase}/auth.key`, "key");
    await prepareFolders(layout);
    assertEquals(await Deno.readTextFile(layout.key), "key");
    for (const folder of [layout.base, layout.queue, layout.pending, layout.cancel]) {
      assertEquals(((await Deno.stat(folder)).mode ?? 0) & 0o777, 0o700, folder);
    }
    assertThrows(() => Deno.statSync(layout.legacyBase), Deno.errors.NotFound);
  });
});

Deno.test("prepareFolders() leaves the old folder where both exist", async () => {
  await inFolder(async (home) => {
    const layout = layoutOf(home);
    await Deno.mkdir(layout.legacyBase);
    await Deno.mkdir(layout.base);
    await prepareFolders(layout);
    assertEquals((await Deno.stat(layout.legacyBase)).isDirectory, true);
  });
});

Deno.test("audit() writes whole lines with mode 0600, and moves a log that has grown too long", async () => {
  await inFolder(async (home) => {
    const layout = layoutOf(home);
    await prepareFolders(layout);
    assertEquals(audit(layout, "SUBMIT id=1", new Date(2026, 1, 18, 14, 30, 22)), true);
    assertEquals(await Deno.readTextFile(layout.audit), "[2026-02-18T14:30:22] SUBMIT id=1\n");
    assertEquals(((await Deno.stat(layout.audit)).mode ?? 0) & 0o777, 0o600);
    await Deno.writeFile(layout.audit, new Uint8Array(MAX_AUDIT_BYTES));
    audit(layout, "last of the old");
    audit(layout, "first of the new");
    assertEquals((await Deno.readTextFile(layout.audit)).endsWith("] first of the new\n"), true);
    assertEquals((await Deno.stat(`${layout.audit}.1`)).size > MAX_AUDIT_BYTES, true);
  });
});

Deno.test("audit() that cannot write says so and does not throw", () => {
  assertEquals(audit(layoutOf("/nonexistent"), "line"), false);
});

Deno.test("localTime() is the original's: local, no zone", () => {
  assertEquals(localTime(new Date(2026, 0, 2, 3, 4, 5)), "2026-01-02T03:04:05");
});

Deno.test("lastLines() gives the end of a file of any size", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/log`;
    assertEquals(await lastLines(path, 5), []);
    const lines = Array.from({ length: 30_000 }, (_, i) => `line ${i}`);
    await Deno.writeTextFile(path, lines.join("\n") + "\n");
    assertEquals(await lastLines(path, 3), lines.slice(-3));
    assertEquals(await lastLines(path, 20_000), lines.slice(-20_000));
    assertEquals(await lastLines(path, 99_999), lines);
    await Deno.writeTextFile(path, "without end");
    assertEquals(await lastLines(path, 2), ["without end"]);
  });
});

Deno.test("shellQuote() gives a line that bash reads back as the same words", async () => {
  const words = [
    "printf",
    "%s\\0",
    "",
    "a b",
    "it's",
    "$HOME",
    "*",
    "new\nline",
    "`id`",
    "\\",
    "é",
  ];
  const { stdout } = await new Deno.Command("bash", { args: ["-c", shellQuote(words)] }).output();
  assertEquals(
    new TextDecoder().decode(stdout),
    words.slice(2).map((word) => word + "\0").join(""),
  );
});
