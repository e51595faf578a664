// SPDX-License-Identifier: GPL-2.0-or-later
/** How much a VM takes before it breaks: qrexec.md 3.4 and 4.4. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { call, killChild, rpc, spawnClient } from "./test_tools.ts";
import { createWorld } from "./world.ts";

const MAX_COMMAND_BYTES = 4087;

/** A command line for the shell of exactly that many bytes. */
function commandOf(bytes: number): string {
  return "user:true ".padEnd(bytes, "x");
}

Deno.test("a VM has a limited number of calls, and each that ends makes room", async () => {
  await using world = await createWorld({ vms: [{ name: "work", maxCalls: 3 }] });
  const open = ["a", "b", "c"].map(() => spawnClient(world, "work", "user:echo; exec cat"));
  for (const child of open) {
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
  }
  assertEquals((await call(world, "work", "user:true")).code, 125);
  assertStringIncludes(world.vmLog("work"), "Data vchan connection failed");
  const [first, ...others] = open;
  if (first !== undefined) await killChild(first);
  let code = 125; // the agent notices that the client is gone a moment later
  for (let tries = 0; code === 125 && tries < 20; tries++) {
    ({ code } = await call(world, "work", "user:true"));
  }
  assertEquals(code, 0);
  for (const child of others) await killChild(child);
});

Deno.test("4,087 bytes of command line are fine, one more and the VM is out of reach", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const echo = spawnClient(world, "work", "user:exec cat");
  assertEquals((await call(world, "work", commandOf(MAX_COMMAND_BYTES))).code, 0);
  const wedged = await call(world, "work", commandOf(MAX_COMMAND_BYTES + 1), "", "-w", "1");
  assertEquals(wedged.code, 125);
  assertStringIncludes(wedged.stderr, "qrexec connection timeout");
  const after = await call(world, "work", "user:true", "", "-w", "1");
  assertEquals(after.code, 125);
  assertStringIncludes(after.stderr, "qrexec connection timeout");

  const writer = echo.stdin.getWriter(); // a call that is open goes on
  await writer.write(new Uint8Array([7]));
  await writer.close();
  assertEquals(new Uint8Array(await new Response(echo.stdout).arrayBuffer()), new Uint8Array([7]));
  await killChild(echo);

  await world.killVm("work");
  await world.startVm("work");
  assertEquals((await call(world, "work", "user:true")).code, 0);
});

Deno.test("the length counts after DEFAULT was replaced", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const tooLongAsDefault = "DEFAULT:true ".padEnd(MAX_COMMAND_BYTES + 3, "x");
  assertEquals((await call(world, "work", tooLongAsDefault)).code, 0);
});

Deno.test("more than 65,526 bytes only fail this call", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  assertEquals((await call(world, "work", commandOf(70_000))).code, 125);
  assertEquals((await call(world, "work", "user:true")).code, 0);
});

Deno.test("small messages go there and back, each before the next", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const child = spawnClient(world, "work", rpc("qubes.VMShell"));
  const writer = child.stdin.getWriter();
  const reader = child.stdout.getReader();
  await writer.write(new TextEncoder().encode("exec cat\n"));
  for (let i = 0; i < 300; i++) {
    await writer.write(new Uint8Array(64).fill(i % 256));
    for (let got = 0; got < 64;) {
      const { value } = await reader.read();
      assert(value !== undefined && value.every((byte) => byte === i % 256), `message ${i}`);
      got += value.length;
    }
  }
  writer.releaseLock();
  reader.releaseLock();
  await killChild(child);
});
