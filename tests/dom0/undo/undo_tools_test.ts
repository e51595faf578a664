// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertMatch } from "@std/assert";
import { sessionGroups } from "../../../dom0/run/session_groups.ts";
import { createWardens } from "../../../dom0/run/wardens.ts";
import { type Config, DEFAULT_CONFIG } from "../../../dom0/settings/config.ts";
import { createUndoTools, undoToolsOf } from "../../../dom0/undo/undo_tools.ts";
import type { UndoTools } from "../../../dom0/undo/run_undo.ts";
import { withFolder } from "../fixture.ts";

async function withTools(
  config: Partial<Config>,
  test: (tools: UndoTools) => Promise<void>,
): Promise<void> {
  await withFolder(async (workFolder) => {
    const groups = sessionGroups();
    const wardens = createWardens(groups);
    // Its own: what is swept after the last test's commands is found by their marks.
    const markPrefix = `undo-test-${crypto.randomUUID()}-`;
    const all = { ...DEFAULT_CONFIG, ...config };
    try {
      await test(
        createUndoTools({ groups, wardens, workFolder, markPrefix, config: () => all }),
      );
    } finally {
      wardens.close();
      groups.close();
    }
  });
}

Deno.test("undo: the daemon's tools run in its groups, each with a mark of its own", async () => {
  await withFolder(async (workFolder) => {
    const groups = sessionGroups();
    const wardens = createWardens(groups);
    const made: string[] = [];
    const make: typeof groups.make = (member) => {
      made.push(`${member.mark} ${member.maxProcesses}`);
      return groups.make(member);
    };
    const choice = { groups: { ...groups, make }, wardens, markPrefix: `qr-${Deno.pid}-` };
    const config = () => ({ ...DEFAULT_CONFIG, maxProcesses: 7 });
    const tools = undoToolsOf(choice, config, { workFolder });
    assertEquals(await tools.run(["true"], 9_000), { code: 0, said: "" });
    assertEquals((await tools.run(["false"], 9_000)).code, 1);
    assertEquals(made, [1, 2].map((n) => `qr-${Deno.pid}-undo${n} 7`));
    wardens.close();
    groups.close();
  });
});

const SH = (script: string): string[] => ["bash", "-c", script];

Deno.test("undo: a tool's exit code, and the last thing it said, made visible", async () => {
  await withTools({}, async ({ run }) => {
    assertEquals(await run(["true"], 9_000), { code: 0, said: "" });
    const failed = await run(
      SH("echo first >&2; printf 'no\\033[1m such qube\\n' >&2; exit 3"),
      9_000,
    );
    assertEquals(failed, { code: 3, said: '"no\\u{1b}[1m such qube"' });
    const { code, said } = await run(["no-such-program"], 9_000);
    assertEquals(code, 127);
    assertMatch(said, /no-such-program/);
  });
});

Deno.test("undo: a tool has the limits of every command: time, output, a clean environment", async () => {
  await withTools({ maxOutputBytes: 1000 }, async ({ run }) => {
    const late = { code: 124, said: "it was ended: timeout" };
    assertEquals(await run(SH("sleep 60 & sleep 60"), 200), late); // what it started, too
    const much = await run(SH("while :; do echo much; done"), 60_000);
    assertEquals(much.said, "it was ended: output-limit");
    Deno.env.set("NOT_FOR_TOOLS", "x");
    const clean = await run(SH('test -z "$NOT_FOR_TOOLS" && test "$HOME" = /root'), 9_000);
    assertEquals(clean, { code: 0, said: "" });
    Deno.env.delete("NOT_FOR_TOOLS");
  });
});
