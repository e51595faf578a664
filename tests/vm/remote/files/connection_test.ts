// SPDX-License-Identifier: GPL-2.0-or-later
/** A dom0 that is not there: the client says so, and why if dom0 said it, and does not wait. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseNumber } from "../../../../shared/cli/options.ts";
import { RUN_OPTIONS } from "../../../../vm/remote/commands/cli_table.ts";
import { readConnection } from "../../../../vm/remote/files/connection.ts";
import { connectPeer } from "../dom0_peer.ts";
import { namesIn, runClient, vmTest } from "../fixture.ts";

const SOON = ["--connect-timeout", "1"];

vmTest("dom0 is not connected: said at once, taken back, exit 255", async (vm) => {
  const { code, stderr } = await runClient(vm, [...SOON, "touch /tmp/never"]);
  assertEquals(code, 255);
  assertStringIncludes(stderr, "qvm-remote: error: dom0 is not connected; nothing was run (id=");
  assertStringIncludes(stderr, 'hint: in dom0, "qvm-remote-dom0 status"');
  for (const folder of ["pending", "running", "cancel", "results"] as const) {
    assertEquals(namesIn(vm.layout[folder]), []);
  }
});

vmTest("dom0 has never connected: said at once", async (vm) => {
  const { code, stderr } = await runClient(vm, [...SOON, "x"]);
  assertEquals(code, 255);
  assertStringIncludes(stderr, "qvm-remote: error: dom0 has never connected to this VM");
}, { named: false });

vmTest("a service that ended in any way leaves no mark that dom0 is connected", async (vm) => {
  assertEquals((await readConnection(vm.layout)).kind, "none");
  const peer = await connectPeer(vm);
  assertEquals((await readConnection(vm.layout)).kind, "connected");
  await peer.kill();
  assertEquals(await readConnection(vm.layout), { kind: "none", farewell: null });
});

vmTest("connected, and no credit yet: the client waits for its turn", async (vm) => {
  const peer = await connectPeer(vm, { credits: 0 });
  const running = runClient(vm, [...SOON, "-t", "1", "x"]);
  const { code, stderr } = await running;
  assertEquals(code, 124, stderr);
  await peer.close();
});

for (
  const [word, text] of [
    ["revoked", "this VM's authorisation was revoked"],
    ["locked-down", "dom0 was locked down"],
    ["stopping", "the daemon there was stopped"],
  ] as const
) {
  vmTest(`dom0 said ${word} and left: exit 126, and that word, until it is back`, async (vm) => {
    const peer = await connectPeer(vm);
    const first = runClient(vm, ["x"]);
    await peer.finish(await peer.nextRequest(), word);
    assertEquals((await first).code, 126);
    await peer.close();
    const { code, stderr } = await runClient(vm, [...SOON, "x"]);
    assertEquals(code, 126);
    assertStringIncludes(stderr, `error: dom0 is not connected: ${text}; nothing was run (id=`);
    const back = await connectPeer(vm);
    await back.close();
    assertEquals((await runClient(vm, [...SOON, "x"])).code, 255);
  });
}

vmTest("--connect-timeout takes whole seconds", async (vm) => {
  const { code, stderr } = await runClient(vm, ["--connect-timeout", "0", "x"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "--connect-timeout takes a whole number from 1 to 86400, got: 0");
  const said = /default ([0-9]+)/.exec(RUN_OPTIONS["connect-timeout"]?.help ?? "")?.[1] ?? "";
  assert(parseNumber("default", said, 1, 3) === 3);
});
