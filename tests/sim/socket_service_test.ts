// SPDX-License-Identifier: GPL-2.0-or-later
/** Services that are a unix socket or a TCP address: qrexec.md 4.8. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { call, killChild, rpc, spawnClient } from "./test_tools.ts";
import { createWorld } from "./world.ts";

/** Answers only when it has read to the end. @returns what it read. */
async function answerLate(listener: Deno.Listener, answer: string): Promise<string> {
  const conn = await listener.accept();
  let text = "";
  const buffer = new Uint8Array(1024);
  for (let got = await conn.read(buffer); got !== null; got = await conn.read(buffer)) {
    text += new TextDecoder().decode(buffer.subarray(0, got));
  }
  await conn.write(new TextEncoder().encode(answer));
  conn.close();
  return text;
}

/** Writes at once and half-closes. @returns what it reads after that. */
async function speakFirst(listener: Deno.Listener, text: string): Promise<string> {
  const conn = await listener.accept();
  await conn.write(new TextEncoder().encode(text));
  await conn.closeWrite();
  const rest = await new Response(conn.readable).text();
  return rest;
}

function listenTcp(): { listener: Deno.Listener; port: number } {
  const listener = Deno.listen({ transport: "tcp", hostname: "127.0.0.1", port: 0 });
  return { listener, port: listener.addr.transport === "tcp" ? listener.addr.port : 0 };
}

Deno.test("a socket service reads the words of the call, then the data, and gives 0", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const path = `${world.vmHome("work")}/listen`;
  using listener = Deno.listen({ transport: "unix", path });
  world.installService("work", "test.Socket", { symlinkTo: path });
  const served = answerLate(listener, "late answer");
  const ended = await call(world, "work", rpc("test.Socket+arg"), "data");
  assertEquals([ended.code, ended.stdout, ended.stderr], [0, "late answer", ""]);
  assertEquals(await served, "test.Socket+arg dom0\0data");

  world.configureService("work", "test.Socket+arg", ["skip-service-descriptor=true"]);
  const bare = answerLate(listener, "x");
  await call(world, "work", rpc("test.Socket+arg"), "data");
  assertEquals(await bare, "data");
});

Deno.test("a socket service that closes altogether ends the call, our stdin open or not", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const path = `${world.vmHome("work")}/listen`;
  using listener = Deno.listen({ transport: "unix", path });
  world.installService("work", "test.Socket", { symlinkTo: path });
  const child = spawnClient(world, "work", rpc("test.Socket"));
  const conn = await listener.accept();
  await conn.write(new Uint8Array([33]));
  conn.close();
  assertEquals(await new Response(child.stdout).text(), "!");
  assertEquals((await child.status).code, 0);
  await killChild(child);
});

Deno.test("a socket file without a listener is 125", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const path = `${world.vmHome("work")}/listen`;
  const listener = Deno.listen({ transport: "unix", path: `${path}-now` });
  Deno.linkSync(`${path}-now`, path); // Deno removes only the name it made
  listener.close();
  world.installService("work", "test.Socket", { symlinkTo: path });
  assertEquals((await call(world, "work", rpc("test.Socket"))).code, 125);
});

Deno.test("/dev/tcp links lead to a port, half-close works, a refused port is 125", async () => {
  await using world = await createWorld({ vms: [{ name: "agent" }] });
  const { listener, port } = listenTcp();
  world.installService("agent", `qubes.ConnectTCP+${port}`, {
    symlinkTo: `/dev/tcp/127.0.0.1/${port}`,
  });
  world.installService("agent", "test.Host", { symlinkTo: "/dev/tcp/127.0.0.1" });
  world.installService("agent", "test.Any", { symlinkTo: "/dev/tcp" });
  for (const name of ["qubes.ConnectTCP", "test.Host", "test.Any"]) {
    world.configureService("agent", name, [
      "skip-service-descriptor=true",
      "exit-on-service-eof=true",
    ]);
  }
  // A link that names the port takes no argument, but it may be named after one.
  const named = await call(world, "agent", rpc(`qubes.ConnectTCP+${port}`));
  assertEquals(named.code, 125);
  assertStringIncludes(world.vmLog("agent"), "Unexpected argument");
  for (const service of [`test.Host+${port}`, `test.Any+127.0.0.1+${port}`]) {
    const served = answerLate(listener, "pong");
    const ended = await call(world, "agent", rpc(service), "ping");
    assertEquals([ended.code, ended.stdout], [0, "pong"], service);
    assertEquals(await served, "ping");
  }
  listener.close();
  const refused = [
    "test.Host+0080",
    "test.Host+65536",
    "test.Host",
    "test.Any+80",
    `test.Host+${port}`,
  ];
  for (const service of refused) {
    assertEquals((await call(world, "agent", rpc(service))).code, 125, service);
  }
});

Deno.test("exit-on-service-eof ends both directions when the server half-closes", async () => {
  await using world = await createWorld({ vms: [{ name: "agent" }] });
  const { listener, port } = listenTcp();
  world.installService("agent", "test.Host", { symlinkTo: "/dev/tcp/127.0.0.1" });
  world.configureService("agent", "test.Host", [
    "skip-service-descriptor=true",
    "exit-on-service-eof=true",
  ]);
  const served = speakFirst(listener, "bye");
  const child = spawnClient(world, "agent", rpc(`test.Host+${port}`));
  assertEquals(await new Response(child.stdout).text(), "bye");
  assertEquals((await child.status).code, 0); // with our stdin still open
  assertEquals(await served, "");
  await killChild(child);
  listener.close();
});
