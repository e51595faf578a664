// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../shared/io/version.ts";
import { install, readAudit } from "./installed.ts";

Deno.test("a VM runs commands in dom0", async (t) => {
  await using qubes = await install([{ name: "work" }]);
  await qubes.authorize("work");
  const daemon = await qubes.startDaemon(["work"]);

  await t.step("a single word is a script", async () => {
    const { code, stdout } = await qubes.client("work", ["hostname"]);
    assertEquals([code, stdout], [0, "dom0\n"]);
  });
  await t.step("words are an argv, quoting kept", async () => {
    const words = ["printf", "[%s]", "a b", "", "$HOME", "c'd\"e\n"];
    const { code, stdout } = await qubes.client("work", words);
    assertEquals([code, stdout], [0, "[a b][][$HOME][c'd\"e\n]"]);
  });
  await t.step("stdin is a script, its bytes kept", async () => {
    const script = new Uint8Array([...new TextEncoder().encode("printf '%s' '"), 0xff, 0xfe, 0x27]);
    const child = qubes.spawnClient("work", [], "piped");
    const writer = child.stdin.getWriter();
    await writer.write(script);
    await writer.close();
    const { code, stdout } = await child.output();
    assertEquals([code, [...stdout]], [0, [0xff, 0xfe]]);
  });
  await t.step("exit codes pass through, signals as 128 + n", async () => {
    assertEquals((await qubes.client("work", ["-c", "exit 7"])).code, 7);
    assertEquals((await qubes.client("work", ["-c", "kill -9 $$"])).code, 137);
    assertEquals((await qubes.client("work", ["no-such-program-here", "x"])).code, 127);
  });
  await t.step("what a command leaves running is ended, and said", async () => {
    const words = ["-c", "sleep 600 & sleep 600 & echo left; exit 4"];
    const { code, stdout, stderr } = await qubes.client("work", words);
    const said = "qvm-remote: ended 2 processes that were left running\n";
    assertEquals([code, stdout, stderr], [4, "left\n", said]);
    const json = await qubes.client("work", ["--json", "-c", "sleep 600 &"]);
    assertEquals(JSON.parse(json.stdout).left, 1);
    const counts = readAudit(qubes.world).map(({ left }) => left).filter((left) =>
      left !== undefined
    );
    assertEquals(counts, [2, 1]);
  });
  await t.step("the doctor finds nothing wrong", async () => {
    const { code, stdout } = await qubes.client("work", ["doctor"]);
    assertEquals(code, 0, stdout);
    assertStringIncludes(stdout, "policy   ok       may do everything\n");
    assertStringIncludes(stdout, `version  ok       ${VERSION} here, ${VERSION} in dom0\n`);
  });
  await t.step("the audit has each command and verifies", async () => {
    const { code, stdout } = await qubes.dom0(["audit", "verify"]);
    assertEquals(code, 0, stdout);
    assertStringIncludes(stdout, "unbroken");
    const accepted = readAudit(qubes.world).filter(({ event }) => event === "accepted");
    const done = readAudit(qubes.world).filter(({ event }) => event === "done");
    assert(accepted.length === 8 && done.length === 11, `${accepted.length} ${done.length}`);
  });
  assertEquals(await daemon.stop(), 0);
});
