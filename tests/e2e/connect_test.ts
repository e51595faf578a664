// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-connect in a client VM, with the real tunnel, or with a program of its name. */
import { freePort } from "./free_port.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { finish, type Finished, until } from "./installed.ts";
import { type VmSide, vmSide } from "./vmside_world.ts";
import { writeExecutable } from "../executable.ts";

const POLICY = ["* * @tag:openclaw-client @tag:openclaw-server allow"];
const VMS = [
  { name: "agent", klass: "StandaloneVM", tags: ["openclaw-server"] },
  { name: "client" },
];

function standIn(path: string): Deno.HttpServer<Deno.NetAddr> {
  const answer = (request: Request): Response =>
    new Response("\x1b[31mtoken", { status: new URL(request.url).pathname === path ? 200 : 404 });
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
}

function connect(qubes: VmSide, words: readonly string[], path?: string): Deno.ChildProcess {
  const { world } = qubes;
  return world.runInVm("client", [`${world.vmBin}/openclaw-connect`, ...words], {
    env: {
      QUBES_CLAW_ROOT: world.vmRoot("client"),
      ...(path === undefined ? {} : { PATH: `${path}:${world.vmBin}:/usr/bin:/bin` }),
    },
    stdout: "piped",
    stderr: "piped",
  });
}

function reading(child: Deno.ChildProcess): { text(): string; ended: Promise<unknown> } {
  const parts: string[] = [];
  const ended = Promise.all([child.stdout, child.stderr].map(async (stream) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) parts.push(part);
  }));
  return { text: () => parts.join(""), ended };
}

const run = (qubes: VmSide, words: readonly string[], path?: string): Promise<Finished> =>
  finish(connect(qubes, words, path));

Deno.test("a tag in dom0 is all: both endpoints answer, are printed, and end with the program", async () => {
  await using qubes = await vmSide(VMS, POLICY);
  const [proxy, gateway] = [standIn("/health"), standIn("/healthz")];
  const [here, there] = [freePort(), freePort()];
  const list = [String(proxy.addr.port), String(gateway.addr.port)];
  assertEquals((await qubes.asRoot("agent", ["openclaw-ports", "install", ...list])).code, 0);
  const conf = `${qubes.world.vmHome("client")}/.config/openclaw/connect.conf`;
  await Deno.mkdir(conf.slice(0, conf.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(conf, "OPENCLAW_VM=agent\n");
  const words = [`--proxy=${here}:${list[0]}`, `--gateway=${there}:${list[1]}`];

  const refused = connect(qubes, [...words, "--timeout=1"]);
  const before = reading(refused);
  await until("it says that nothing answers", () => before.text().includes("still trying"));
  assertStringIncludes(before.text(), "proxy does not answer");
  assertStringIncludes(before.text(), "policy", "the tunnel's own reason");
  refused.kill("SIGTERM");
  assertEquals((await refused.status).code, 0);
  await before.ended;

  const tag = new Deno.Command(`${qubes.world.dom0Bin}/qvm-tags`, {
    args: ["client", "add", "openclaw-client"],
    clearEnv: true,
    env: qubes.world.dom0Env(),
  });
  assertEquals((await tag.output()).code, 0);
  const child = connect(qubes, words);
  const said = reading(child);
  await until("both are told", () => /gateway: /.test(said.text()) && /proxy: /.test(said.text()));
  assertStringIncludes(said.text(), `proxy: http://127.0.0.1:${here}/v1\n`);
  assertStringIncludes(said.text(), `gateway: http://127.0.0.1:${there}/\n`);
  assert(!said.text().includes("token"), "nothing that a server says is printed");
  const once = await run(qubes, ["--once", ...words]);
  assertEquals([once.code, once.stdout.split("\n").length], [0, 3], once.stderr);

  child.kill("SIGTERM");
  assertEquals((await child.status).code, 0);
  await said.ended; // the tunnel holds the streams no more: it has ended
  const after = await run(qubes, ["--once", "--timeout=1", ...words]);
  assertEquals(after.code, 1);
  assertStringIncludes(after.stdout, "nothing listens here: no tunnel runs");
  await Promise.all([proxy.shutdown(), gateway.shutdown()]);
});

Deno.test("a tunnel that ends gives its exit code; one that is missing is named", async () => {
  await using qubes = await vmSide(VMS, POLICY);
  const bin = `${qubes.world.vmRoot("client")}/bin`;
  await Deno.mkdir(bin);
  const tunnel = '#!/bin/sh\nprintf "[%s]" "$@"\nexit 78\n';
  writeExecutable(`${bin}/openclaw-tunnel`, tunnel);
  const [proxy, gateway] = [freePort(), freePort()];
  const words = ["--vm=agent", `--proxy=${proxy}`, `--gateway=${gateway}`];
  const ended = await run(qubes, words, bin);
  assertEquals(ended.code, 78, ended.stderr);
  assertStringIncludes(
    ended.stdout,
    `[--vm=agent][--listen=127.0.0.1:${proxy}:${proxy}][--listen=127.0.0.1:${gateway}:${gateway}]`,
  );
  await Deno.remove(`${bin}/openclaw-tunnel`);
  await Deno.remove(`${qubes.world.vmBin}/openclaw-tunnel`);
  const missing = await run(qubes, words, bin);
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, "openclaw-tunnel is not installed");
});

Deno.test("without a configured VM the policy chooses; the user's own tunnel has a status", async () => {
  const line = "* * client @default allow target=agent";
  await using qubes = await vmSide(VMS, [line]);
  const { world } = qubes;
  const proxy = standIn("/health");
  const here = freePort();
  const list = [String(proxy.addr.port)];
  assertEquals((await qubes.asRoot("agent", ["openclaw-ports", "install", ...list])).code, 0);
  const runtime = `${world.vmHome("client")}/runtime`;
  await Deno.mkdir(runtime);
  const env = { QUBES_CLAW_ROOT: world.vmRoot("client"), XDG_RUNTIME_DIR: runtime };
  const tunnel = (words: readonly string[]): Deno.ChildProcess =>
    world.runInVm("client", [`${world.vmBin}/openclaw-tunnel`, ...words], {
      ...{ env, stdout: "piped", stderr: "piped" },
    });
  const child = tunnel(["--vm=@default", `${here}:${list[0]}`]);
  const said = reading(child);
  await until("it listens", () => said.text().includes("leads to"));
  const answer = await fetch(`http://127.0.0.1:${here}/health`, {
    headers: { connection: "close" },
  });
  assertEquals([answer.status, await answer.text()], [200, "\x1b[31mtoken"]);
  const state = `${runtime}/openclaw/by-hand-${here}/tunnel.json`;
  await until("the state is written", () => Deno.readTextFileSync(state).includes('"total":1'));
  const { stdout: shown } = await finish(tunnel(["status"]));
  assertStringIncludes(shown, `-> @default port ${list[0]}`);
  const check = await finish(tunnel(["check", `${here}:${list[0]}`]));
  assertEquals(check.code, 0, check.stdout + check.stderr);
  assertStringIncludes(check.stdout, `port ${here} -> @default port ${list[0]}: good`);
  const conf = `${world.vmHome("client")}/.config/openclaw`;
  await Deno.mkdir(conf, { recursive: true });
  const configured = `OPENCLAW_VM=agent\nOPENCLAW_PROXY_PORT=none\nOPENCLAW_GATEWAY_PORT=${here}\n`;
  await Deno.writeTextFile(`${conf}/connect.conf`, configured);
  const own = await finish(tunnel(["check"]));
  assertStringIncludes(own.stdout, `port ${here} -> agent port ${here}: `);
  child.kill("SIGTERM");
  await said.ended;
  await proxy.shutdown();
});
