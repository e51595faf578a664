// SPDX-License-Identifier: GPL-2.0-or-later
/** What the tunnel takes of a machine's few vchans, and how it bears it when there is none. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { echoServer } from "../shared/tunnel/fixture.ts";
import { freePort } from "./free_port.ts";
import { until } from "./installed.ts";
import { AGENT, CLIENT, type RunningTunnel, tunnelWorld } from "./tunnel_world.ts";
import { writeExecutable } from "../executable.ts";

/** Of a kernel that shares 1,024 pages. */
const MOST = 12;

/** One connection that asks, and whether it was answered; it stays open if it was. */
async function ask(port: number): Promise<Deno.Conn | null> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new Uint8Array([7])).catch(() => {});
  const got = await conn.read(new Uint8Array(1)).catch(() => null);
  if (got === 1) return conn;
  conn.close();
  return null;
}

const failureOf = (tunnel: RunningTunnel): string => tunnel.state().lastFailure?.class ?? "";

Deno.test("direct mode: all tunnels of dom0 together leave vchans for the calls of others", async () => {
  await using qubes = await tunnelWorld();
  using server = echoServer();
  qubes.offer(server.addr.port, "direct");
  const tunnels = [
    await qubes.tunnel(server.addr.port, "dom0", ["--direct"]),
    await qubes.tunnel(server.addr.port), // there is no shared stream
  ];
  const asked = await Promise.all(
    tunnels.flatMap(({ port }) => Array.from({ length: 10 }, () => ask(port))),
  );
  const open = asked.filter((conn) => conn !== null);
  assertEquals(open.length, MOST);
  await until(
    "each refusal is counted",
    () => tunnels.reduce((sum, tunnel) => sum + tunnel.state().failed, 0) === 20 - MOST,
  );
  for (const tunnel of tunnels.filter((one) => one.state().failed > 0)) {
    assertEquals(failureOf(tunnel), "too-many");
    assertStringIncludes(tunnel.said(), `with a call of their own: ${MOST} are the most`);
  }
  const { stdout } = await qubes.run("dom0", ["status"]);
  assertStringIncludes(
    stdout,
    `connections with a qrexec call of their own: ${MOST} of at most 12`,
  );
  for (const conn of open) conn.close();
  await until(
    "their places are free",
    () => tunnels.every((tunnel) => tunnel.state().direct === 0),
  );
  for (const { port } of tunnels) {
    const again = await ask(port);
    assert(again !== null);
    again.close();
  }
  for (const tunnel of tunnels) await tunnel.stop();
});

Deno.test("no vchan on this side is told as that, in log, status and check", async () => {
  await using qubes = await tunnelWorld();
  const remote = freePort();
  const said = "gntshr: error: ioctl failed: No space left on device";
  writeExecutable(
    `${qubes.world.dom0Bin}/qrexec-client`,
    `#!/bin/sh\necho "${said}" >&2\necho "Failed to start data vchan server" >&2\nexit 125\n`,
  );
  const tunnel = await qubes.tunnel(remote);
  assertEquals(await ask(tunnel.port), null);
  await until("it is told", () => failureOf(tunnel) === "no-vchan");
  assertStringIncludes(tunnel.said(), "this machine has no vchan for the call");
  assertEquals(tunnel.state().modeReason, "no-vchan");
  const status = await qubes.run("dom0", ["status"]);
  assertStringIncludes(status.stdout, "last failure: no-vchan");
  const check = await qubes.run("dom0", ["check", `${tunnel.port}:${remote}`]);
  assertEquals(check.code, 1);
  for (const part of ["persistent", "direct"]) {
    assertMatch(check.stdout, new RegExp(`${part} +failed +[0-9.]+ ms  no-vchan: this machine`));
  }
  await tunnel.stop();
});

Deno.test("a VM that writes to stderr without end: its stream is over, a connection goes its own way", async () => {
  await using qubes = await tunnelWorld();
  using server = echoServer();
  const { port } = server.addr;
  qubes.offer(port, "direct");
  qubes.world.installService(AGENT, `openclaw.Mux+${port}`, "#!/bin/sh\nyes >&2\n");
  const tunnel = await qubes.tunnel(port);
  const conn = await ask(tunnel.port);
  assert(conn !== null);
  conn.close();
  await until("the mode is told", () => tunnel.state().mode === "direct");
  assertEquals(tunnel.state().modeReason, "protocol");
  assertStringIncludes(tunnel.said(), "it writes to stderr without end");
  await tunnel.stop();
});

Deno.test("a client that the policy refuses asks once for all its connections", async () => {
  await using qubes = await tunnelWorld([`* * ${CLIENT} ${AGENT} deny`]);
  const calls = `${qubes.world.folder}/calls`;
  const real = `${qubes.world.vmBin}/qrexec-client-vm`;
  await Deno.rename(real, `${real}.real`);
  writeExecutable(
    real,
    `#!/bin/sh\necho "$2" >>"${calls}"\nexec "${real}.real" "$@"\n`,
  );
  const remote = freePort();
  const tunnel = await qubes.tunnel(remote, "VM");
  for (let i = 0; i < 20; i++) assertEquals(await ask(tunnel.port), null);
  await until("all are counted", () => tunnel.state().failed === 20);
  assertEquals(failureOf(tunnel), "policy");
  assertStringIncludes(tunnel.state().lastFailure?.text ?? "", "not asked again for");
  const asked = (await Deno.readTextFile(calls)).trim().split("\n").toSorted();
  assertEquals(asked, [`openclaw.Mux+${remote}`, `qubes.ConnectTCP+${remote}`]);
  await tunnel.stop();
});

Deno.test("status says what is true of a VM that ended and was started again", async () => {
  await using qubes = await tunnelWorld();
  using server = echoServer();
  qubes.offer(server.addr.port, "both");
  const tunnel = await qubes.tunnel(server.addr.port);
  const mode = async (): Promise<string> => {
    const { stdout } = await qubes.run("dom0", ["status"]);
    return /^ +mode: (.*)$/m.exec(stdout)?.[1] ?? stdout;
  };
  const connect = async (): Promise<void> => {
    const conn = await ask(tunnel.port);
    assert(conn !== null);
    conn.close();
    await until("it is carried", () => tunnel.state().mode === "persistent");
  };
  await connect();
  assertEquals(await mode(), "persistent");
  await qubes.world.killVm(AGENT);
  await until("the loss is told", () => failureOf(tunnel) === "vm-died");
  assertEquals(await ask(tunnel.port), null);
  await until("that it is halted is told", () => failureOf(tunnel) === "vm-halted");
  assertMatch(await mode(), /\(vm-halted\)$/);
  await qubes.world.startVm(AGENT);
  assertMatch(await mode(), /^the next connection decides( \(vm-died\))?$/);
  await connect();
  assertEquals(await mode(), "persistent");
  await tunnel.stop();
});
