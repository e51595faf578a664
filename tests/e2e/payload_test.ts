// SPDX-License-Identifier: GPL-2.0-or-later
/** What is piped to qvm-remote -i reaches the command in dom0: every byte of it, or nothing runs. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { isPresent } from "../../shared/io/sync_files.ts";
import { concat, utf8 } from "../../shared/protocol/bytes.ts";
import { install, readAudit, until } from "./installed.ts";
import { openQueue } from "./vm_queue.ts";

const VM = "work";

function random(bytes: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(data.subarray(at, at + 65536));
  return data;
}

Deno.test("stdin reaches the command in dom0", async (t) => {
  await using qubes = await install([{ name: VM }, { name: "agent" }]);
  await qubes.configure(['QVM_REMOTE_MAX_PAYLOAD="20000000"']);
  await qubes.authorize(VM);
  await qubes.authorize("agent", "--grant", "ask");
  const daemon = await qubes.startDaemon([VM, "agent"]);
  const queue = await openQueue(qubes.world, VM);
  const payloads = `${qubes.world.dom0Root}/var/lib/qvm-remote/payloads`;
  const left = (): readonly string[] =>
    [`${queue.folder}/payloads`, payloads].flatMap((folder) =>
      [...Deno.readDirSync(folder)].map(({ name }) => name)
    );

  await t.step("every byte of 12 MB, to words, a script and an operation", async () => {
    const data = concat([Uint8Array.from({ length: 256 }, (_, byte) => byte), random(12_000_000)]);
    const { code, stdout, stderr } = await qubes.client(VM, ["-i", "sha256sum", "-"], data);
    assertEquals([code, stdout, stderr], [0, `${sha256Hex(data)}  -\n`, ""]);
    const script = await qubes.client(VM, ["--stdin", "-c", "sha256sum; exit 3"], data);
    assertEquals([script.code, script.stdout], [3, `${sha256Hex(data)}  -\n`]);
    const empty = await qubes.client(VM, ["-i", "wc", "-c"], new Uint8Array(0));
    assertEquals(empty.stdout, "0\n");
    assertEquals(left(), []);
  });

  await t.step("a command that does not read it ends all the same", async () => {
    const { code, stdout } = await qubes.client(VM, ["-i", "echo", "done"], random(5_000_000));
    assertEquals([code, stdout], [0, "done\n"]);
  });

  await t.step("without a command, and with the old protocol, it is refused", async () => {
    const bare = await qubes.client(VM, ["-i"], "data");
    assertEquals(bare.code, 2);
    assertStringIncludes(bare.stderr, "there is no command");
    const old = await qubes.client(VM, ["-i", "--protocol", "1", "cat"], "data");
    assertEquals(old.code, 2);
    assertStringIncludes(old.stderr, "--stdin does not go with --protocol 1");
    assertEquals(left(), []);
  });

  await t.step("what is more than dom0 takes is refused before it is sent", async () => {
    const words = ["op", "file.write", `path=${qubes.world.folder}/large`, "-i"];
    const { code, stderr } = await qubes.client(VM, words, random(20_000_001));
    assertEquals(code, 126);
    assertStringIncludes(stderr, "QVM_REMOTE_MAX_PAYLOAD is 20000000");
    assertStringIncludes(stderr, "refused by dom0: what it brings cannot be taken");
    assertEquals(left(), []);
  });

  await t.step("a file that is changed after it was signed is refused", async () => {
    const ran = `${qubes.world.folder}/ran`;
    const data = random(3_000_000);
    const queueFile = (id: string): string => `${queue.folder}/payloads/${id}`;
    const id = await queue.publish(`touch ${ran}\n`, { brings: data, issuedAtMs: Date.now() });
    // Whoever is faster: dom0 has the bytes that were signed, or none.
    try {
      Deno.writeFileSync(queueFile(id), utf8("other bytes"), { create: false });
    } catch { /* it is gone: all of it was there in time */ }
    const { outcome } = await queue.answer(id);
    assertEquals(outcome.reason === "bad-payload", !isPresent(ran));
    const short = await queue.publish(`touch ${ran}2\n`, { brings: random(1000) });
    assertEquals((await queue.answer(short)).outcome.kind, "done");
  });

  await t.step("a person is shown what it is, before it runs", async () => {
    const child = qubes.spawnClient("agent", ["-i", "cat"], "piped");
    const writer = child.stdin.getWriter();
    await writer.write(utf8("first line\nsecond line\n"));
    await writer.close();
    await until("it waits", async () => (await qubes.dom0(["pending"])).stdout.includes("agent"));
    const shown = (await qubes.dom0(["show", "1"])).stdout;
    assertStringIncludes(shown, "It reads this on stdin: text, 23 bytes, SHA-256 ");
    assertStringIncludes(shown, "     | first line\n     | second line\n");
    assertEquals((await qubes.dom0(["approve", "--yes", "1"])).code, 0);
    const { code, stdout } = await child.output();
    assertEquals([code, new TextDecoder().decode(stdout)], [0, "first line\nsecond line\n"]);
  });

  await t.step("it is on record what each brought", () => {
    const brought = readAudit(qubes.world).filter(({ payload_bytes }) => payload_bytes === 23);
    assertEquals(brought.length, 1);
    assertEquals(brought[0]?.["payload_sha256"], sha256Hex("first line\nsecond line\n"));
  });
  await daemon.stop();
});
