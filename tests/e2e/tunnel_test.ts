// SPDX-License-Identifier: GPL-2.0-or-later
/** The tunnel through real programs over the simulated Qubes: what passes, and what is refused. */
import { freePort } from "./free_port.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { until } from "./installed.ts";
import { AGENT, type RunningTunnel, tunnelWorld } from "./tunnel_world.ts";

/** A server with what agents use: requests, an event stream, a WebSocket. */
function webServer(): Deno.HttpServer<Deno.NetAddr> {
  const events = (): Response => {
    let count = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (++count > 3) return controller.close();
        controller.enqueue(new TextEncoder().encode(`data: ${count}\n\n`));
        await new Promise((resolve) => setTimeout(resolve, 30));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/events") return events();
    if (pathname === "/socket") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send(`echo ${data}`);
      return response;
    }
    return new Response(`${request.method} ${pathname} ${await request.text()}`);
  });
}

async function useAll(port: number): Promise<void> {
  const get = await fetch(`http://127.0.0.1:${port}/health`);
  assertEquals(await get.text(), "GET /health ");
  const body = "x".repeat(300_000);
  const post = await fetch(`http://127.0.0.1:${port}/v1`, { method: "POST", body });
  assertEquals(await post.text(), `POST /v1 ${body}`);
  const events = await fetch(`http://127.0.0.1:${port}/events`);
  const seen: string[] = [];
  const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (let part; reader && !(part = await reader.read()).done;) seen.push(part.value);
  assertEquals(seen.join(""), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
  assert(seen.length >= 2, "the events came one by one");
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`);
  const answers: string[] = [];
  const closed = new Promise<void>((resolve) => socket.onclose = () => resolve());
  socket.onopen = () => socket.send("1");
  socket.onmessage = ({ data }) => {
    answers.push(data);
    if (answers.length < 5) socket.send(String(answers.length + 1));
    else socket.close();
  };
  await closed;
  assertEquals(answers, [1, 2, 3, 4, 5].map((n) => `echo ${n}`));
}

async function readAll(conn: Deno.Conn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(4096);
  for (let got; (got = await conn.read(buffer)) !== null;) {
    text += new TextDecoder().decode(buffer.subarray(0, got));
  }
  return text;
}

/** Answers after the client's half-close. */
function halfCloser(): Deno.TcpListener {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const conn of listener) {
      readAll(conn).then(async (text) => {
        await conn.write(new TextEncoder().encode(`got ${text}`));
        conn.close();
      }).catch(() => conn.close());
    }
  })().catch(() => {});
  return listener;
}

async function refusedAtOnce(port: number): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  assertEquals(await conn.read(new Uint8Array(1)).catch(() => null), null);
}

async function lastFailure(tunnel: RunningTunnel): Promise<string> {
  await until("a failure is told", () => tunnel.state().lastFailure !== null);
  return tunnel.state().lastFailure?.class ?? "";
}

for (const where of ["dom0", "VM"] as const) {
  for (const mode of ["persistent", "direct"] as const) {
    Deno.test(`${mode} mode in ${where}: HTTP, events, WebSocket, half-close`, async () => {
      await using qubes = await tunnelWorld();
      const server = webServer();
      const late = halfCloser();
      for (const port of [server.addr.port, late.addr.port]) {
        qubes.offer(port, mode === "direct" ? "direct" : "both");
      }
      const web = await qubes.tunnel(server.addr.port, where);
      await useAll(web.port);
      await until("the state tells the mode", () => web.state().mode === mode);
      assertEquals(web.state().failed, 0, web.said());
      const half = await qubes.tunnel(late.addr.port, where);
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: half.port });
      await conn.write(new TextEncoder().encode("question"));
      await conn.closeWrite();
      assertEquals(await readAll(conn), "got question");
      conn.close();
      assertEquals([await web.stop(), await half.stop()], [0, 0]);
      await server.shutdown();
      late.close();
    });
  }
}

Deno.test("what went wrong is told apart: halted, refused port, missing service, policy", async (t) => {
  await using qubes = await tunnelWorld(["openclaw.Mux * client agent deny"]);
  const nobody = freePort();
  qubes.offer(nobody, "both");
  await t.step("a port that nobody listens on", async () => {
    const tunnel = await qubes.tunnel(nobody);
    await refusedAtOnce(tunnel.port);
    assertEquals(await lastFailure(tunnel), "port-refused");
    assertStringIncludes(tunnel.said(), "nothing answers on the port");
    await tunnel.stop();
  });
  await t.step("the same without the shared stream", async () => {
    const tunnel = await qubes.tunnel(nobody, "dom0", ["--direct"]);
    await refusedAtOnce(tunnel.port);
    assertEquals(await lastFailure(tunnel), "port-refused");
    await tunnel.stop();
  });
  await t.step("a service that is not there", async () => {
    const tunnel = await qubes.tunnel(freePort());
    await refusedAtOnce(tunnel.port);
    assertEquals(await lastFailure(tunnel), "service-missing");
    assertEquals(tunnel.state().modeReason, "service-missing");
    await tunnel.stop();
  });
  await t.step("a policy that refuses", async () => {
    const tunnel = await qubes.tunnel(nobody, "VM");
    await refusedAtOnce(tunnel.port);
    assertEquals(await lastFailure(tunnel), "policy");
    await tunnel.stop();
  });
  await t.step("a halted VM: refused at once, and not started", async () => {
    await qubes.world.killVm(AGENT);
    const tunnel = await qubes.tunnel(nobody);
    await refusedAtOnce(tunnel.port);
    assertEquals(await lastFailure(tunnel), "vm-halted");
    assertEquals(qubes.world.powerState(AGENT), "Halted");
    assertStringIncludes(tunnel.said(), "the VM is halted; it is never started from here");
    const { code, stdout } = await qubes.run("dom0", ["status", "--json"]);
    assertEquals(code, 0);
    assertEquals(JSON.parse(stdout)[0].ports[0].lastFailure.class, "vm-halted");
    await qubes.world.startVm(AGENT);
    await tunnel.stop();
  });
});

Deno.test("a VM that was killed and started again is reached again", async () => {
  await using qubes = await tunnelWorld();
  const server = webServer();
  qubes.offer(server.addr.port, "both");
  const tunnel = await qubes.tunnel(server.addr.port);
  const get = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${tunnel.port}/a`, {
      headers: { connection: "close" },
    });
    return await answer.text();
  };
  assertEquals(await get(), "GET /a ");
  using open = await Deno.connect({ hostname: "127.0.0.1", port: tunnel.port });
  await until("it is carried", () => tunnel.state().open >= 1);
  await qubes.world.killVm(AGENT);
  assertEquals(await open.read(new Uint8Array(1)).catch(() => null), null);
  await until("the loss is told", () => tunnel.state().lastFailure?.class === "vm-died");
  await qubes.world.startVm(AGENT);
  assertEquals(await get(), "GET /a ");
  await tunnel.stop();
  await server.shutdown();
});

Deno.test("openclaw-tunnel: status and check in words, usage, addresses", async (t) => {
  await using qubes = await tunnelWorld();
  const server = webServer();
  const port = server.addr.port;
  qubes.offer(port, "both");
  await t.step("check, with and without a tunnel", async () => {
    const before = await qubes.run("dom0", ["check", String(port + 0)]);
    assertEquals(before.code, 0, before.stdout); // the server itself listens there
    const unused = freePort();
    const without = await qubes.run("dom0", ["check", "--json", `${unused}:${port}`]);
    assertEquals(without.code, 1);
    const [result] = JSON.parse(without.stdout);
    const verdicts = result.parts.map((part: { verdict: string }) => part.verdict);
    assertEquals(verdicts, ["failed", "good", "good", "good"], without.stdout);
    const tunnel = await qubes.tunnel(port);
    const { code, stdout } = await qubes.run("dom0", ["check", `${tunnel.port}:${port}`]);
    assertEquals(code, 0, stdout);
    assertMatch(stdout, /persistent +good +[0-9.]+ ms/);
    await until("the state is written", () => tunnel.state().mode === "persistent");
    const status = await qubes.run("dom0", ["status"]);
    assertEquals(status.code, 0);
    assertStringIncludes(status.stdout, `-> agent port ${port}`);
    assertStringIncludes(status.stdout, "mode: persistent");
    await tunnel.stop();
  });
  await t.step("status without a tunnel", async () => {
    const { code, stdout } = await qubes.run("dom0", ["status"]);
    assertEquals([code, stdout], [1, "No tunnel runs.\n"]);
  });
  await t.step("only loopback", async () => {
    for (const address of ["0.0.0.0", "192.168.1.2", "::", "example.org", "127.0.0.2"]) {
      const { code, stderr } = await qubes.run("dom0", ["--listen", `[${address}]:${port}`]);
      assertEquals(code, 2, stderr);
      assertStringIncludes(stderr, `not a loopback address: "[${address}]"`);
    }
  });
  await t.step("a port in use, a bad configuration", async () => {
    const used = await qubes.run("dom0", [String(port)]);
    assertEquals(used.code, 1);
    assertStringIncludes(used.stderr, "is in use by another program");
    const conf = `${qubes.world.dom0Root}/etc/qubes/openclaw.conf`;
    await Deno.writeTextFile(conf, "# ports\nOPENCLAW_VM=agent\nOPENCLAW_PROXY_PORT=0x50\n");
    const bad = await qubes.run("dom0", []);
    assertEquals(bad.code, 78);
    assertStringIncludes(bad.stderr, "line 3: OPENCLAW_PROXY_PORT");
  });
  await server.shutdown();
});
