// SPDX-License-Identifier: GPL-2.0-or-later
/** What is piped to qvm-remote -i and does not end soon reaches the command in dom0 as it comes. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { isPresent } from "../../shared/io/sync_files.ts";
import { type Bytes, utf8 } from "../../shared/protocol/bytes.ts";
import { install, type Installed, readAudit, until } from "./installed.ts";
import { isService, killSeen } from "./seen_processes.ts";

const VM = "work";
const LIVE = ["-i", "--live"];
const MIB = 1024 * 1024;
/** More than all of the buffers on the way hold together. */
const MUCH = 24 * MIB;

function random(bytes: number): Bytes {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(data.subarray(at, at + 65536));
  return data;
}

/** A client that is fed piece by piece, and whose output is read as it comes. */
function feeding(qubes: Installed, vm: string, words: readonly string[]) {
  const child = qubes.spawnClient(vm, words, "piped");
  const writer = child.stdin.getWriter();
  let out = "";
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) out += text;
  })();
  const said = new Response(child.stderr).text();
  return {
    child,
    out: () => out,
    write: (data: Uint8Array) => writer.write(data).then(() => true, () => false),
    async end() {
      await writer.close().catch(() => {});
      await reading;
      return { code: (await child.status).code, stderr: await said };
    },
  };
}

Deno.test("a live stream reaches the command in dom0", async (t) => {
  await using qubes = await install([{ name: VM }, { name: "agent" }]);
  await qubes.authorize(VM);
  await qubes.authorize("agent", "--grant", "ask");
  const daemon = await qubes.startDaemon([VM, "agent"]);
  const { world } = qubes;
  const dom0 = Deno.realPathSync(world.folder);
  const payloads = `${world.vmHome(VM)}/.qvm-remote/queue/payloads`;
  /** What a command has made of its whole stdin; the name is there if it saw its end. */
  const keep = (name: string): string =>
    `cat >'${dom0}/${name}.new' && mv '${dom0}/${name}.new' '${dom0}/${name}'`;
  /** Nothing is read before that file is there. */
  const waitFor = (name: string): string => `until [ -e '${dom0}/${name}' ]; do sleep 0.05; done`;
  const left = (): readonly string[] => [...Deno.readDirSync(payloads)].map(({ name }) => name);

  for (const bytes of [0, 1, 524_288, 12_000_001]) {
    await t.step(`${bytes} bytes, every one of them`, async () => {
      const data = random(bytes);
      const { code, stdout, stderr } = await qubes.client(VM, [...LIVE, "sha256sum"], data);
      assertEquals([code, stdout, stderr], [0, `${sha256Hex(data)}  -\n`, ""]);
      await until("nothing is left", () => Promise.resolve(left().length === 0));
    });
  }

  await t.step("what is small and ends is signed whole; what is more is passed on", async () => {
    const brought = () => readAudit(world).filter(({ event }) => event === "accepted").at(-1);
    const [small, large] = [random(9), random(9 * MIB)];
    assertEquals(
      (await qubes.client(VM, ["-i", "sha256sum"], small)).stdout.slice(0, 64),
      sha256Hex(small),
    );
    assertEquals(brought()?.["payload_bytes"], 9);
    assertEquals(
      (await qubes.client(VM, ["-i", "sha256sum"], large)).stdout.slice(0, 64),
      sha256Hex(large),
    );
    assertEquals(brought()?.["payload"], "live");
    const end = readAudit(world).findLast(({ event }) => event === "done");
    assertEquals(end?.["stdin_bytes"], large.length);
  });

  await t.step("each line is there before the next one is typed", async () => {
    const client = feeding(qubes, VM, [...LIVE, "cat"]);
    for (const line of ["one\n", "two\n", "three\n"]) {
      assert(await client.write(utf8(line)));
      await until(line, () => Promise.resolve(client.out().endsWith(line)));
    }
    assertEquals([(await client.end()).code, client.out()], [0, "one\ntwo\nthree\n"]);
  });

  await t.step("a command that reads only a part ends well, and so does its client", async () => {
    const closing = `head -c 10; exec <&-; ${waitFor("closed")}; exit 3`;
    const client = feeding(qubes, VM, [...LIVE, "-c", closing]);
    const writing = client.write(new Uint8Array(MUCH).fill(97));
    await until("it has read its part", () => Promise.resolve(client.out() === "a".repeat(10)));
    Deno.writeFileSync(`${dom0}/closed`, new Uint8Array());
    assertEquals(await client.end(), { code: 3, stderr: "" });
    assertEquals(await writing, false, "the client did not read the rest");
    await until("nothing is left", () => Promise.resolve(left().length === 0));
  });

  await t.step("while the command does not read, nothing piles up on the way", async () => {
    const data = random(MUCH);
    const client = feeding(qubes, VM, [...LIVE, "-c", `${waitFor("go")}; sha256sum`]);
    let isWritten = false;
    const writing = client.write(data).then(() => isWritten = true);
    await until("the queue is full", () => Promise.resolve(bytesBelow(payloads) >= 3 * MIB));
    assert(bytesBelow(payloads) <= 5 * MIB);
    assertEquals(isWritten, false);
    Deno.writeFileSync(`${dom0}/go`, new Uint8Array());
    await writing;
    assertEquals((await client.end()).code, 0);
    assertEquals(client.out(), `${sha256Hex(data)}  -\n`);
  });

  await t.step("a session that breaks leaves no gap and nothing twice", async () => {
    const [one, two] = [random(3 * MIB), random(3 * MIB)];
    const client = feeding(qubes, VM, [
      ...LIVE,
      "-c",
      `head -c ${3 * MIB} | sha256sum; ${keep("resumed")}`,
    ]);
    assert(await client.write(one));
    await until("the first part is there", () => Promise.resolve(client.out() !== ""));
    assert(killSeen(world, isService(VM)) > 0);
    assert(await client.write(two));
    assertEquals(await client.end(), { code: 0, stderr: "" });
    assertEquals(client.out(), `${sha256Hex(one)}  -\n`);
    assertEquals(sha256Hex(Deno.readFileSync(`${dom0}/resumed`)), sha256Hex(two));
  });

  await t.step(
    "a client that is killed: the command ends, and sees no end of its stdin",
    async () => {
      const client = feeding(qubes, VM, [...LIVE, "-c", `echo begun; ${keep("killed")}`]);
      assert(await client.write(random(MIB)));
      await until("it reads", () => Promise.resolve(isPresent(`${dom0}/killed.new`)));
      client.child.kill("SIGKILL");
      await client.end();
      await until(
        "it is ended",
        () => Promise.resolve(readAudit(world).at(-1)?.["event"] === "cancelled"),
      );
      assertEquals(isPresent(`${dom0}/killed`), false);
      await until("nothing is left", () => Promise.resolve(left().length === 0));
    },
  );

  for (const attack of ["another byte", "its end", "one left out", "one twice"] as const) {
    await t.step(`a chunk that was changed in the queue ends the command: ${attack}`, async () => {
      const go = `go ${attack}`;
      const script = `${waitFor(go)}; ${keep("forged")}`;
      const client = feeding(qubes, VM, [...LIVE, "-c", script]);
      const writing = client.write(random(MUCH));
      await until("the queue is full", () => Promise.resolve(bytesBelow(payloads) >= 3 * MIB));
      forge(`${payloads}/${left()[0]}`, attack);
      Deno.writeFileSync(`${dom0}/${go}`, new Uint8Array());
      const { code, stderr } = await client.end();
      await writing;
      assertEquals(code, 126, stderr);
      assertStringIncludes(stderr, "a part of its stdin was not what was signed here");
      const record = readAudit(world).at(-1);
      assertEquals([record?.["event"], record?.["vm"]], ["bad-stream", VM]);
      assertEquals(isPresent(`${dom0}/forged`), false);
      await until("nothing is left", () => Promise.resolve(left().length === 0));
    });
  }

  await t.step("a person is told that what comes cannot be shown", async () => {
    const client = feeding(qubes, "agent", [...LIVE, "cat"]);
    assert(await client.write(utf8("secret\n")));
    await until("it waits", async () => (await qubes.dom0(["pending"])).stdout.includes("agent"));
    const shown = (await qubes.dom0(["show", "1"])).stdout;
    assertStringIncludes(shown, "It reads a live stream on stdin: what comes is not there yet");
    assertEquals([shown.includes("secret"), client.out()], [false, ""]);
    assertEquals((await qubes.dom0(["approve", "--yes", "1"])).code, 0);
    await until("it runs", () => Promise.resolve(client.out() === "secret\n"));
    assertEquals((await client.end()).code, 0);
  });

  await t.step("what a live stream is not for is said before anything runs", async () => {
    const file = ["op", "file.write", `path=${dom0}/never`];
    const words = [[...LIVE, "--detach", "cat"], ["--live", "cat"], [...file, "-i", "--live"]];
    const said = await Promise.all(words.map((each) => qubes.client(VM, each, "data")));
    assertEquals(said.map(({ code }) => code), [2, 2, 126]);
    const texts = ["--live does not go with --detach", "-i is missing", "all there before it runs"];
    for (const [index, text] of texts.entries()) {
      assertStringIncludes(said[index]?.stderr ?? "", text);
    }
    assertEquals((await qubes.client(VM, [...file, "-i"], "data")).code, 0);
  });

  await t.step("a job takes all of its stdin along", async () => {
    const sent = await qubes.client(VM, ["-i", "--detach", "wc -c"], random(9 * MIB));
    const { stdout } = await qubes.client(VM, ["wait", sent.stdout.trim()]);
    assertEquals(stdout, `${9 * MIB}\n`);
  });

  await t.step("dom0's operator can do without live streams", async () => {
    await qubes.configure(['QVM_REMOTE_LIVE_STDIN="no"']);
    await until(
      "it counts",
      async () => (await qubes.client(VM, [...LIVE, "true"], "")).code === 126,
    );
    const { code, stderr } = await qubes.client(VM, [...LIVE, "touch", `${dom0}/never2`], "data");
    assertEquals([code, isPresent(`${dom0}/never2`)], [126, false]);
    assertStringIncludes(stderr, "dom0 takes no live streams: QVM_REMOTE_LIVE_STDIN is no");
    assertEquals((await qubes.client(VM, ["-i", "wc -c"], "data")).stdout, "4\n");
  });
  assertEquals(await daemon.stop(), 0);
});

/** Of all files in the folders in it. */
function bytesBelow(folder: string): number {
  let bytes = 0;
  for (const { name } of Deno.readDirSync(folder)) {
    for (const file of Deno.readDirSync(`${folder}/${name}`)) {
      try {
        bytes += Deno.statSync(`${folder}/${name}/${file.name}`).size;
      } catch { /* it has gone on */ }
    }
  }
  return bytes;
}

/** Does that to chunks that dom0 does not have, as anybody could who can write there. */
function forge(folder: string, attack: string): void {
  const offsets = [...Deno.readDirSync(folder)].map(({ name }) => Number(name)).sort((a, b) =>
    a - b
  );
  const file = (back: number): string => `${folder}/${offsets.at(back)}`;
  const chunk = Deno.readFileSync(file(-2));
  if (attack === "another byte") chunk[1000] = (chunk[1000] ?? 0) ^ 1;
  if (attack === "its end") chunk[0] = 1;
  if (attack === "one twice") chunk.set(Deno.readFileSync(file(-3)));
  // At once: of half a file the service itself says that it is no chunk.
  const whole = `${folder}.forged`;
  Deno.writeFileSync(whole, attack === "one left out" ? Deno.readFileSync(file(-1)) : chunk);
  Deno.renameSync(whole, file(-2));
}
