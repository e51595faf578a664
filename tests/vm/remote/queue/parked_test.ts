// SPDX-License-Identifier: GPL-2.0-or-later
/** What waits for a person in dom0, and what an older dom0 does not know, as the queue shows it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeCommand } from "../../../../shared/protocol/command.ts";
import {
  makeNonce,
  PLAIN_REQUEST,
  type RequestFields,
  sealEnvelope,
} from "../../../../shared/protocol/envelope.ts";
import { makeRequestId, type RequestId } from "../../../../shared/protocol/request_id.ts";
import { parseVmName } from "../../../../shared/protocol/vm_name.ts";
import { connectPeer } from "../dom0_peer.ts";
import { namesIn, until, type Vm, VM_NAME, vmTest } from "../fixture.ts";

/** The file of a request as a client would put it into a folder of the queue. */
async function putRequest(
  vm: Vm,
  folder: "pending" | "running",
  changes: Partial<RequestFields> = {},
): Promise<RequestId> {
  const random = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const id = makeRequestId(Date.now(), Deno.pid, random);
  const envelope = await sealEnvelope({
    id,
    vm: parseVmName(VM_NAME),
    issuedAtMs: Date.now(),
    timeoutMs: 30_000,
    mode: "script",
    ...PLAIN_REQUEST,
    nonce: makeNonce(),
    body: encodeCommand({ mode: "script", script: new Uint8Array([58]) }),
    ...changes,
  }, vm.key);
  const temporary = `${vm.layout.queue}/.${id}.new`;
  await Deno.writeFile(temporary, envelope, { mode: 0o600 });
  await Deno.rename(temporary, `${vm.layout[folder]}/${id}`);
  return id;
}

const OPERATION: Partial<RequestFields> = {
  mode: "op",
  body: encodeCommand({ mode: "op", name: "vm.list", pairs: [] }),
};

const meta = (vm: Vm, id: RequestId): string =>
  Deno.readTextFileSync(`${vm.layout.results}/${id}.meta`);
const isParked = (vm: Vm, id: RequestId): boolean =>
  namesIn(vm.layout.results).includes(`${id}.parked`);
const isAnswered = (vm: Vm, id: RequestId): boolean =>
  namesIn(vm.layout.results).includes(`${id}.exit`);

vmTest("a request that waits for a person has a file that says so, until it runs", async (vm) => {
  const peer = await connectPeer(vm);
  const id = await putRequest(vm, "pending");
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  peer.park(request.seq);
  await until("it is said", () => isParked(vm, id));
  const { size, mode } = await Deno.stat(`${vm.layout.results}/${id}.parked`);
  assertEquals([size, (mode ?? 0) & 0o777], [0, 0o600]);
  peer.approve(request.seq);
  await until("it runs", () => !isParked(vm, id));
  await peer.finish(request, "done", 3);
  assertMatch(meta(vm, id), /^outcome=done$/m);
  await peer.close();
});

vmTest("the answer takes the file away, whoever said what", async (vm) => {
  const peer = await connectPeer(vm);
  for (const kind of ["done", "cancelled", "locked-down", "refused"] as const) {
    const id = await putRequest(vm, "pending");
    const request = await peer.nextRequest();
    peer.accept(request.seq);
    peer.park(request.seq);
    await until("it is said", () => isParked(vm, id));
    if (kind === "refused") {
      await peer.output(request.seq, 2, "qvm-remote-dom0: not today\n");
      await peer.refuse(request, "not-approved");
      assertEquals(
        Deno.readTextFileSync(`${vm.layout.results}/${id}.err`),
        "qvm-remote-dom0: not today\n",
      );
    } else await peer.finish(request, kind);
    assert(isAnswered(vm, id), kind);
    assertEquals(isParked(vm, id), false, kind);
    peer.credit(1);
  }
  await peer.close();
});

vmTest(
  "a file of a session that broke is gone in the next one, until dom0 says it anew",
  async (vm) => {
    const first = await connectPeer(vm);
    const id = await putRequest(vm, "pending");
    const before = await first.nextRequest();
    first.accept(before.seq);
    first.park(before.seq);
    await until("it is said", () => isParked(vm, id));
    await first.kill();
    assert(isParked(vm, id), "nobody took it away");
    const second = await connectPeer(vm);
    const request = await second.nextRequest();
    await until("it is not known", () => !isParked(vm, id));
    second.accept(request.seq);
    second.park(request.seq);
    await until("it is said anew", () => isParked(vm, id));
    await second.finish(request);
    assertEquals(isParked(vm, id), false);
    await second.close();
  },
);

vmTest(
  "a session that ends takes the file away: nobody knows whether it still waits",
  async (vm) => {
    for (const end of ["in order", "by broken bytes"] as const) {
      const peer = await connectPeer(vm);
      const id = await putRequest(vm, "pending");
      for (let seen = false; !seen;) {
        const { seq, request } = await peer.nextRequest();
        peer.accept(seq);
        peer.park(seq);
        peer.credit(1);
        seen = request.id === id;
      }
      await until("it is said", () => isParked(vm, id));
      if (end === "in order") await peer.close();
      else {
        await peer.raw(new Uint8Array(5).fill(0xff));
        await peer.ended;
      }
      assertEquals(namesIn(vm.layout.results).filter((name) => name.endsWith(".parked")), [], end);
      assert(namesIn(vm.layout.running).includes(id), "it is sent again in the next session");
    }
  },
);

const LATER: readonly (readonly [name: string, Partial<RequestFields>])[] = [
  ["an operation", OPERATION],
  ["a plan", { mode: "plan", body: encodeCommand({ mode: "plan", text: "{}" }) }],
  ["a question", { flags: new Set(["explain"]) }],
  ["a reason", { why: "because" }],
];

for (
  const [name, options] of [
    ["that knows no capabilities", { first: true }],
    ["that does not know this one", { names: ["ends", "left"] }],
  ] as const
) {
  vmTest(`a dom0 ${name} is sent nothing of the later form`, async (vm) => {
    const ids = await Promise.all(LATER.map(([_, changes]) => putRequest(vm, "pending", changes)));
    const peer = await connectPeer(vm, options);
    for (const [at, id] of ids.entries()) {
      await until("it is answered", () => isAnswered(vm, id));
      assertMatch(meta(vm, id), /^outcome=refused\nreason=not-known$/m, LATER[at]?.[0]);
      assertMatch(meta(vm, id), /^nonce=[0-9a-f]{32}$/m);
      assertEquals(namesIn(vm.layout.results).includes(`${id}.mac`), false);
    }
    await until("nothing waits", () => namesIn(vm.layout.pending).length === 0);
    assertEquals(namesIn(vm.layout.running), []);
    const plain = await putRequest(vm, "pending"); // the session goes on
    const request = await peer.nextRequest();
    assertEquals(request.request.id, plain);
    await peer.finish(request);
    await peer.close();
  });
}

vmTest("what a newer dom0 may have run is not called refused by an older one", async (vm) => {
  const newer = await connectPeer(vm);
  const id = await putRequest(vm, "pending", OPERATION);
  await newer.nextRequest();
  await newer.kill();
  const older = await connectPeer(vm, { first: true });
  await until("it is answered", () => isAnswered(vm, id));
  assertMatch(meta(vm, id), /^outcome=interrupted$/m);
  assertMatch(Deno.readTextFileSync(`${vm.layout.results}/${id}.err`), /cannot say what became/);
  await until("it is not sent again", () => namesIn(vm.layout.running).length === 0);
  await older.close();
});

vmTest("a dom0 that knows operations gets them as they are", async (vm) => {
  const peer = await connectPeer(vm);
  for (const [name, changes] of LATER) {
    const id = await putRequest(vm, "pending", changes);
    const request = await peer.nextRequest();
    assertEquals(request.request.id, id, name);
    await peer.finish(request);
    peer.credit(1);
  }
  await peer.close();
});
