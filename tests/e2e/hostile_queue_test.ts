// SPDX-License-Identifier: GPL-2.0-or-later
/** Hostile files in a VM's queue, served to dom0 by the real service: what any program there can do. @module */

import { isPresent } from "../../shared/io/sync_files.ts";
import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { makeRequestId } from "../../shared/protocol/request_id.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import { rawFrame, sealScript } from "./attack_request.ts";
import { parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { type Bytes, concat, utf8 } from "../../shared/protocol/bytes.ts";
import {
  assertCleanRecords,
  assertPrompt,
  assertSmall,
  awaitRecord,
  keepAsking,
  tracesIn,
} from "./hostile_scene.ts";
import { hostileVm, inTime } from "./hostile_vm.ts";
import { install, readAudit, until } from "./installed.ts";

const ENTRIES = 100_000;
const MANY_BYTES = 400 * 1024 * 1024;

Deno.test("hostile entries in a queue harm only their VM", async (t) => {
  await using qubes = await install([{ name: "messy" }, { name: "calm" }]);
  await qubes.authorize("messy");
  await qubes.authorize("calm");
  const daemon = await qubes.startDaemon(["messy", "calm"]);
  const traces = await tracesIn(qubes);
  const queue = `${qubes.world.vmHome("messy")}/.qvm-remote/queue`;
  const pending = `${queue}/pending`;
  const key = await parseAuthKey(await Deno.readTextFile(`${queue}/../auth.key`));
  const vm = parseVmName("messy");
  const calm = keepAsking(qubes, "calm");
  const good = (name: string): Promise<Bytes> => sealScript(vm, key, traces.script(name));
  const exitOf = async (id: string): Promise<string> => {
    const path = `${queue}/results/${id}.exit`;
    await until(`an answer for ${id}`, () => isPresent(path));
    return await Deno.readTextFile(path);
  };

  await t.step("names that are no ids are left alone", async () => {
    const names = [
      "..a",
      "a\nb",
      "\x1b]0;owned\x07",
      "2".repeat(255),
      "a b",
      "-rf",
      "x".repeat(40),
    ];
    for (const name of [...names, "\u202egnp.exe", "ping-1-1", "20261122-091500-0-a1b2c3d4"]) {
      await Deno.writeFile(`${pending}/${name}`, await good("name"));
    }
  });
  await t.step("entries that are no files are refused", async () => {
    const ids = [1, 2, 3, 4].map((n) => makeRequestId(Date.now(), 4242, n));
    const [folder = "", fifo = "", link = "", dangling = ""] = ids;
    await Deno.mkdir(`${pending}/${folder}`);
    await new Deno.Command("mkfifo", { args: [`${pending}/${fifo}`] }).output();
    await Deno.writeFile(`${queue}/../secret`, await good("link"));
    await Deno.symlink(`${queue}/../secret`, `${pending}/${link}`);
    await Deno.symlink("/nowhere", `${pending}/${dangling}`);
    for (const id of ids) assertEquals(await exitOf(id), "126", id);
  });
  await t.step("a file of 400 MB is refused", async () => {
    const id = makeRequestId(Date.now(), 4242, 5);
    using file = await Deno.open(`${queue}/.huge`, { write: true, createNew: true });
    await file.write(await good("huge"));
    await file.truncate(MANY_BYTES);
    await Deno.rename(`${queue}/.huge`, `${pending}/${id}`);
    assertEquals(await exitOf(id), "126");
  });
  await t.step("a request under another id is refused", async () => {
    const id = makeRequestId(Date.now(), 4242, 6);
    await Deno.writeFile(`${queue}/.other`, await good("other"));
    await Deno.rename(`${queue}/.other`, `${pending}/${id}`);
    assertEquals(await exitOf(id), "126");
  });
  await t.step("a request that is not signed is refused by dom0", async () => {
    const id = makeRequestId(Date.now(), 4242, 7);
    const wrong = await parseAuthKey("2".repeat(64));
    const file = await sealScript(vm, wrong, traces.script("unsigned"), { id });
    await Deno.writeFile(`${queue}/.unsigned`, file);
    await Deno.rename(`${queue}/.unsigned`, `${pending}/${id}`);
    assertEquals(await exitOf(id), "126");
    await awaitRecord(qubes, { event: "refused", reason: "bad-mac", vm, id });
  });
  await t.step("the VM's own commands still run", async () => {
    assertEquals((await qubes.client("messy", ["echo fine"])).stdout, "fine\n");
  });
  await t.step(`${ENTRIES} entries: the other VM does not notice`, async () => {
    for (let n = 0; n < ENTRIES; n++) {
      const name = n % 2 === 0 ? `no-id-${n}` : makeRequestId(Date.now(), 4242, 1000 + n);
      Deno.writeFileSync(`${pending}/${name}`, n % 4 === 1 ? ENVELOPE_START : new Uint8Array(0));
      if (n % 1000 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    const { code, stdout } = await qubes.client("calm", ["echo still here"]);
    assertEquals([code, stdout], [0, "still here\n"]);
    const own = await qubes.client("messy", ["-q", "-t", "1800", "echo", "mine", "too"]);
    assertEquals([own.code, own.stdout], [0, "mine too\n"], own.stderr);
    const { stdout: listing } = await qubes.dom0(["status"]);
    assertEquals(listing.search(NOT_PRINTABLE), -1, listing);
  });
  await t.step("nothing of it ran or reached dom0's logs", async () => {
    assertEquals([...traces.seen()], []);
    assertPrompt(await calm.stop());
    assertSmall(daemon);
    await assertCleanRecords(qubes, daemon);
    assert(readAudit(qubes.world).length < 2_000, "the VM filled the audit");
  });
  assertEquals(await daemon.stop(), 0);
});

/** Enough to be taken for a request of protocol 2 that is broken. */
const ENVELOPE_START = utf8("qvm-remote 2\nid x\n");
const NOT_PRINTABLE = /[^\x20-\x7e\n]/;

Deno.test("hostile answers to an operator's questions", async (t) => {
  await using qubes = await install([{ name: "liar" }]);
  await using liar = await hostileVm(qubes, "liar");
  const ask = async (words: readonly string[], answer: Bytes): Promise<string> => {
    const asked = qubes.dom0(words);
    const call = await liar.question();
    await call.send(answer);
    call.close();
    const { code, stdout, stderr } = await inTime(words.join(" "), asked);
    const text = stdout + stderr;
    assertEquals(text.search(NOT_PRINTABLE), -1, JSON.stringify(text));
    return `${code} ${text}`;
  };
  const name = utf8("\x1b]0;owned\x07\x1b[2J\r\u202e");
  const entry = concat([new Uint8Array([0, 0, 0, 0, 1, name.length]), name]);
  const list = ["queue", "debug", "liar"];
  await t.step("names with control characters are shown escaped", async () => {
    const text = await ask(list, rawFrame(0x92, entry));
    assert(text.startsWith("0 ") && text.includes("\\u{1b}"), text);
  });
  const refused: readonly [string, Bytes][] = [
    ["another answer", rawFrame(0x90, utf8("0".repeat(64)))],
    ["400 MB", rawFrame(0x92, new Uint8Array(1000), MANY_BYTES)],
    ["a name that is too long", rawFrame(0x92, new Uint8Array([0, 0, 0, 0, 1, 121]))],
    ["a folder that does not exist", rawFrame(0x92, new Uint8Array([9, 0, 0, 0, 1, 0]))],
    ["two answers", concat([rawFrame(0x92, entry), rawFrame(0x92, entry)])],
    ["noise", noise(1, 4096)],
    ["nothing", new Uint8Array(0)],
    ["half an answer", rawFrame(0x92, entry).slice(0, 9)],
  ];
  for (const [what, bytes] of refused) {
    await t.step(`${what} is no answer`, async () => {
      const text = await ask(list, bytes);
      assert(text.startsWith("1 "), text);
    });
  }
  await t.step("a key that is none is not stored", async () => {
    const words = ["authorize", "--grant", "full", "--fetch", "--fingerprint", "x", "liar"];
    const text = await ask(words, rawFrame(0x90, utf8("\x1b[31m".padEnd(64, "0"))));
    assert(text.startsWith("1 "), text);
  });
});

/** Bytes that are the same for the same seed. */
function noise(seed: number, length: number): Bytes {
  const parts: Uint8Array[] = [];
  for (let n = 0; n * 32 < length; n++) {
    parts.push(createHash("sha256").update(`${seed} ${n}`).digest());
  }
  return concat(parts).slice(0, length);
}
