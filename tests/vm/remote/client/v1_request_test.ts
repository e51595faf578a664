// SPDX-License-Identifier: GPL-2.0-or-later
/** Protocol 1 in both directions: the Python original's client here, and its daemon in dom0. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  makeRequestId,
  parseV1Id,
  type RequestId,
} from "../../../../shared/protocol/request_id.ts";
import { v1Token } from "../../../../shared/protocol/v1.ts";
import { connectPeer } from "../dom0_peer.ts";
import { asText, client, namesIn, runClient, until, type Vm, vmTest } from "../fixture.ts";

interface V1Client {
  readonly id: RequestId;
  readonly path: string;
  part(name: "out" | "err" | "exit" | "meta"): Promise<string>;
  answered(): Promise<void>;
}

/** Writes what the original's client writes, in its order, without a rename. */
async function startV1Client(
  { layout, key }: Vm,
  body: string,
  { tokenAfterMs = 0, withToken = true, id = makeRequestId(Date.now(), Deno.pid, 1) } = {},
): Promise<V1Client> {
  const path = `${layout.pending}/${id}`;
  const half = body.length >> 1;
  await Deno.writeTextFile(path, body.slice(0, half)); // Python's write() is seen half done
  await new Promise((resolve) => setTimeout(resolve, tokenAfterMs));
  await Deno.writeTextFile(path, body.slice(half), { append: true });
  if (withToken) await Deno.writeTextFile(`${path}.auth`, `${await v1Token(key, id)}`);
  await Deno.writeTextFile(`${path}.cmd`, body);
  const result = (part: string) => `${layout.results}/${id}.${part}`;
  return {
    id,
    path,
    part: (name) => Deno.readTextFile(result(name)),
    answered: () => until("it is answered", () => namesIn(layout.results).includes(`${id}.exit`)),
  };
}

vmTest("the original's client gets its answer as from its own daemon", async (vm) => {
  const peer = await connectPeer(vm);
  const old = await startV1Client(vm, "echo hi; echo no >&2\n", { tokenAfterMs: 200 });
  const request = await peer.nextRequest();
  assertEquals(new TextDecoder().decode(request.request.body), "echo hi; echo no >&2\n");
  assertEquals([request.request.id, request.request.protocol], [old.id, 1]);
  assertEquals(namesIn(vm.layout.pending), [`${old.id}.cmd`]);
  peer.accept(request.seq);
  await peer.output(request.seq, 1, "hi\n");
  await peer.output(request.seq, 2, "no\n");
  await peer.finish(request, "done", 3);
  assertEquals([await old.part("out"), await old.part("err"), await old.part("exit")], [
    ...["hi\n", "no\n", "3"],
  ]);
  const meta = await old.part("meta");
  for (const line of [`id=${old.id}`, "duration_ms=7", "exit_code=3"]) {
    assertStringIncludes(meta, `${line}\n`);
  }
  assertEquals(namesIn(vm.layout.results).length, 4); // no mac: nobody would take it away
  assertEquals(namesIn(vm.layout.pending), [`${old.id}.cmd`]); // its client renames it
  assertEquals(namesIn(vm.layout.running), []);
  await peer.close();
});

vmTest("a refusal, a timeout: in words, on the old client's stderr", async (vm) => {
  const peer = await connectPeer(vm);
  const refused = await startV1Client(vm, "x");
  await peer.refuse(await peer.nextRequest(), "v1-not-accepted");
  assertEquals(await refused.part("exit"), "126");
  assertStringIncludes(await refused.part("err"), `dom0 does not accept protocol 1 from this VM`);
  assertEquals(namesIn(vm.layout.pending), []);
  const late = await startV1Client(vm, "x", { id: makeRequestId(Date.now(), Deno.pid, 2) });
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  await peer.output(request.seq, 2, "so far\n");
  await peer.finish(request, "timeout");
  assertEquals(await late.part("exit"), "124");
  const err = await late.part("err");
  assert(/^so far\nqvm-remote-dom0: command timed out after [0-9]+s\n$/.test(err), err);
  await peer.close();
});

vmTest("the original's ping has another kind of id", async (vm) => {
  const peer = await connectPeer(vm);
  const id = parseV1Id(`ping-${BigInt(Date.now()) * 1_000_000n}-${Deno.pid}`);
  const old = await startV1Client(vm, "true\n", { id });
  await peer.finish(await peer.nextRequest());
  assertEquals(await old.part("exit"), "0");
  await peer.close();
});

vmTest("no token in two seconds: refused here, and the client hears of it", async (vm) => {
  const peer = await connectPeer(vm);
  const old = await startV1Client(vm, "x", { withToken: false });
  await old.answered();
  assertEquals(await old.part("exit"), "126");
  assertStringIncludes(await old.part("err"), "no token beside it (protocol 1)");
  await until("it is set aside", () => namesIn(vm.layout.pending).length === 0);
  await peer.close();
});

vmTest("a service that died takes the token up again", async (vm) => {
  const first = await connectPeer(vm);
  const old = await startV1Client(vm, "x");
  await first.nextRequest();
  await first.kill();
  assertEquals(namesIn(vm.layout.running), [old.id, `${old.id}.auth`]);
  const second = await connectPeer(vm);
  await second.finish(await second.nextRequest(), "done", 7);
  assertEquals(await old.part("exit"), "7");
  assertEquals(namesIn(vm.layout.running), []);
  await second.close();
});

/** Does what the original's daemon does with one request, in its order. */
async function playV1Daemon(
  { layout, key }: Vm,
  { out = "", err = "", exit = "0", metaAfterMs = 100 } = {},
): Promise<{ readonly body: string; readonly tokenIsRight: boolean }> {
  const isRequest = (name: string) => !/\.(auth|cmd)$/.test(name);
  await until("a request is there", () => namesIn(layout.pending).some(isRequest));
  const id = parseV1Id(namesIn(layout.pending).find(isRequest) ?? "");
  const body = await Deno.readTextFile(`${layout.pending}/${id}`);
  const token = await Deno.readTextFile(`${layout.pending}/${id}.auth`);
  await Deno.remove(`${layout.pending}/${id}.auth`);
  await Deno.rename(`${layout.pending}/${id}`, `${layout.running}/${id}`);
  const write = (part: string, text: string) =>
    Deno.writeTextFile(`${layout.results}/${id}.${part}`, text);
  await write("out", out);
  await write("err", err);
  await write("exit", ""); // cat > makes it before it writes
  await new Promise((resolve) => setTimeout(resolve, 50));
  await write("exit", exit);
  await new Promise((resolve) => setTimeout(resolve, metaAfterMs));
  await write("meta", `id=${id}\nstarted=2026-01-01T00:00:00\nduration_ms=41\nexit_code=${exit}\n`);
  await Deno.remove(`${layout.running}/${id}`);
  return { body, tokenIsRight: token === await v1Token(key, id) };
}

vmTest("--protocol 1 talks to the original's daemon", async (vm) => {
  const running = runClient(vm, ["--protocol", "1", "--json", "printf", "%s", "it's"]);
  const { body, tokenIsRight } = await playV1Daemon(vm, { out: "o", err: "e", exit: "-9" });
  assertEquals([body, tokenIsRight], ["printf %s 'it'\\''s'\n", true]);
  const value = JSON.parse((await running).stdout);
  assertEquals([value.stdout, value.stderr, value.exit], ["o", "e", 137]);
  assertEquals([value.duration_ms, value.signed], [41, false]);
  assertEquals(namesIn(vm.layout.pending), []);
  assertEquals(namesIn(vm.layout.results), []);
});

vmTest(
  "--protocol 1 needs no name, says with -v what it lacks, and can be taken back",
  async (vm) => {
    const child = client(vm, ["--protocol", "1", "-v", "x"]).spawn();
    await until("it is in the queue", () => namesIn(vm.layout.pending).length === 3);
    child.kill("SIGINT");
    const { code, stderr } = asText(await child.output());
    assertEquals(code, 130);
    assertStringIncludes(stderr, "answers of protocol 1 are not signed");
    assertEquals(namesIn(vm.layout.pending), []);
    const control = await runClient(vm, ["--protocol", "1", "\x1b[0m"]);
    assertStringIncludes(control.stderr, "protocol 1 does not carry control characters");
  },
  { named: false },
);
