// SPDX-License-Identifier: GPL-2.0-or-later
/** What a request brings: kept beside it, given to dom0 as it asks, and gone with the answer. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../../../shared/io/version.ts";
import { layoutOf } from "../../../../vm/remote/files/layout.ts";
import { spoolPayload } from "../../../../vm/remote/files/payload_file.ts";
import { withSmallDisk } from "../../../dom0/fixture.ts";
import { connectPeer } from "../dom0_peer.ts";
import { client, namesIn, until, type Vm, vmTest } from "../fixture.ts";

const DATA = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 7) & 0xff);

/** `qvm-remote -i cat`, with that on stdin. */
function pipeIn(
  vm: Vm,
  ...options: string[]
): { readonly ended: Promise<{ code: number; stderr: string }> } {
  const child = client(vm, ["-i", ...options, "cat"], { stdin: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  const writing = writer.write(DATA).then(() => writer.close()).catch(() => {});
  const ended = async (): Promise<{ code: number; stderr: string }> => {
    const { code, stderr } = await child.output();
    await writing;
    return { code, stderr: new TextDecoder().decode(stderr) };
  };
  return { ended: ended() };
}

const left = (vm: Vm): readonly string[] => [
  ...namesIn(vm.layout.payloads),
  ...namesIn(vm.layout.queue).filter((name) => name.endsWith(".payload")),
];

vmTest("dom0 gets the part that it asks for, and nothing is kept after the answer", async (vm) => {
  const peer = await connectPeer(vm);
  const { ended } = pipeIn(vm);
  const request = await peer.nextRequest();
  const { payload } = request.request;
  assert(payload !== null && payload !== "live");
  assertEquals(payload.bytes, DATA.length);
  assertEquals(left(vm), [request.request.id]);
  peer.accept(request.seq);
  assertEquals(await peer.pull(request.seq, 5, 70_000), DATA.slice(5, 70_005));
  assertEquals(await peer.pull(request.seq, 70_005, 40_000), DATA.slice(70_005));
  await peer.finish(request);
  assertEquals(left(vm), []);
  assertEquals((await ended).code, 0);
  await peer.close();
});

vmTest("a payload that is gone, or a link now, is nothing to read", async (vm) => {
  const peer = await connectPeer(vm);
  for (const change of ["gone", "link"]) {
    const { ended } = pipeIn(vm);
    const request = await peer.nextRequest();
    const path = `${vm.layout.payloads}/${request.request.id}`;
    Deno.removeSync(path);
    if (change === "link") Deno.symlinkSync("/etc/passwd", path);
    peer.accept(request.seq);
    assertEquals((await peer.pull(request.seq, 0, 100)).length, 0, change);
    await peer.refuse(request, "bad-payload");
    assertEquals((await ended).code, 126);
    peer.credit(1);
  }
  await peer.close();
});

vmTest("an older dom0 is never sent it, and the version that it needs is named", async (vm) => {
  const peer = await connectPeer(vm, { names: ["ends", "operations"] });
  const { code, stderr } = await pipeIn(vm).ended;
  assertEquals(code, 126);
  assertStringIncludes(stderr, "dom0's daemon is older");
  assertStringIncludes(stderr, `update qubes-claw in dom0 to ${VERSION} or later`);
  assertEquals(left(vm), []);
  await peer.close();
});

vmTest("nor a live stream: nothing of it is sent, and nothing runs", async (vm) => {
  const peer = await connectPeer(vm, { names: ["ends", "operations", "payloads", "left"] });
  const { code, stderr } = await pipeIn(vm, "--live").ended;
  assertEquals(code, 126);
  assertStringIncludes(stderr, "dom0's daemon is older");
  assertEquals(left(vm), []);
  await peer.close();
});

vmTest(
  "a client that is killed leaves nothing: its request ends, and what it brought goes",
  async (vm) => {
    const child = client(vm, ["-i", "cat"], { stdin: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(DATA);
    await writer.close();
    await until("it is published", () => namesIn(vm.layout.pending).length === 1);
    child.kill("SIGKILL");
    await child.output();
    const peer = await connectPeer(vm);
    await until("it is answered, and what it brought is gone", () => left(vm).length === 0);
    assertEquals(namesIn(vm.layout.pending), []);
    await peer.close();
  },
);

Deno.test("a full disk in the VM is said, and no part of it is left", () =>
  withSmallDisk(256, async (folder) => {
    const layout = layoutOf(folder);
    let given = 0;
    const source = {
      read: (into: Uint8Array) => Promise.resolve(++given > 9 ? null : into.length),
    };
    const said = await spoolPayload(layout, source).then(() => "", (error) => `${error}`);
    assertStringIncludes(said, "os error 28");
    assertEquals([...Deno.readDirSync(layout.queue)].filter(({ isFile }) => isFile), []);
  }));
