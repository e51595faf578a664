// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The table "Reboot persistence": everything is set up once, the machine is rebooted, nobody does
 * anything, and each row works.
 */
import { freePort } from "./free_port.ts";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { createMachine, enableUnit, type Machine } from "../sim/boot.ts";
import { call, rpc, runDom0 } from "../sim/test_tools.ts";
import type { VmOptions, World } from "../sim/world.ts";
import { until } from "./installed.ts";
import { PROJECT } from "./program_flags.ts";
import { type VmSide, vmSide, writeLauncher } from "./vmside_world.ts";
import { writeExecutable } from "../executable.ts";

const SERVER = `${PROJECT}/tests/e2e/stand-in-server.ts`;

/** Ports of this machine: one network is shared by all VMs here, so each place has its own. */
interface Ports {
  readonly proxy: number;
  readonly gateway: number;
  readonly dom0Proxy: number;
  readonly dom0Gateway: number;
  readonly clientProxy: number;
  readonly clientGateway: number;
}

function choosePorts(): Ports {
  const ports = new Set<number>();
  while (ports.size < 6) ports.add(freePort());
  const [
    proxy = 0,
    gateway = 0,
    dom0Proxy = 0,
    dom0Gateway = 0,
    clientProxy = 0,
    clientGateway = 0,
  ] = ports;
  return { proxy, gateway, dom0Proxy, dom0Gateway, clientProxy, clientGateway };
}

async function write(path: string, text: string): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(path, text);
}

/** A user unit in the VM's home, enabled by its user. */
async function userService(world: World, unit: string, exec: string): Promise<void> {
  const folder = `${world.vmHome("agent")}/.config/systemd/user`;
  await write(`${folder}/${unit}`, `[Service]\nExecStart=${exec}\n`);
  await Deno.mkdir(`${folder}/default.target.wants`, { recursive: true });
  await Deno.symlink(`../${unit}`, `${folder}/default.target.wants/${unit}`);
}

/** All that an operator does, once. */
async function setUp(qubes: VmSide, ports: Ports): Promise<void> {
  const { world } = qubes;
  assertEquals((await runDom0(world, "qvm-prefs", "agent", "autostart", "True")).code, 0);
  assertEquals((await runDom0(world, "qvm-tags", "client", "add", "openclaw-client")).code, 0);

  const words = ["openclaw-ports", "install", `${ports.proxy}`, `${ports.gateway}`];
  const installed = await qubes.asRoot("agent", words);
  assertEquals(installed.code, 0, installed.stderr);
  const serve = `${Deno.execPath()} run --quiet --no-check --allow-net=127.0.0.1 ${SERVER}`;
  await userService(world, "proxy.service", `${serve} ${ports.proxy} /health proxy`);
  await userService(world, "gateway.service", `${serve} ${ports.gateway} /healthz gateway`);

  writeLauncher(`${world.dom0Bin}/openclaw-tunnel`, "openclaw-tunnel", "dom0/openclaw-tunnel.ts");
  await write(`${world.dom0Root}/etc/qubes/openclaw.conf`, "OPENCLAW_VM=agent\n");
  const routes = [[ports.dom0Proxy, ports.proxy], [ports.dom0Gateway, ports.gateway]];
  await write(
    `${world.dom0Root}/usr/lib/systemd/system/openclaw-tunnel.service`,
    `[Service]\nExecStart=/usr/bin/openclaw-tunnel ${routes.map((r) => r.join(":")).join(" ")}\n`,
  );
  enableUnit(world, "openclaw-tunnel.service");

  // The client's part is in the template, enabled there for every user of every VM.
  const template = world.vmRoot("fedora");
  const unit = await Deno.readTextFile(`${PROJECT}/vm/systemd/user/openclaw-connect.service`);
  const options = `--vm=agent --proxy=${ports.clientProxy}:${ports.proxy} ` +
    `--gateway=${ports.clientGateway}:${ports.gateway}`;
  await write(
    `${template}/usr/lib/systemd/user/openclaw-connect.service`,
    unit.replace("ExecStart=/usr/bin/openclaw-connect", `$& ${options}`),
  );
  const wants = `${template}/etc/systemd/user/default.target.wants`;
  await Deno.mkdir(wants, { recursive: true });
  await Deno.symlink(
    "/usr/lib/systemd/user/openclaw-connect.service",
    `${wants}/openclaw-connect.service`,
  );
}

async function answer(port: number, path: string): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { connection: "close" },
      signal: AbortSignal.timeout(5_000),
    });
    return `${response.status} ${await response.text()}`;
  } catch {
    return "none";
  }
}

/** Services need a moment after a boot; nobody does anything meanwhile. */
async function answers(port: number, path: string, text: string): Promise<void> {
  let last = "";
  let asking = false;
  await until(`port ${port} answers ${text}`, () => {
    if (!asking && last !== text) {
      asking = true;
      answer(port, path).then((got) => (last = got, asking = false));
    }
    return last === text;
  });
}

async function ask(world: World, port: number, path = "/health"): Promise<string> {
  const request = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`;
  const { stdout } = await call(world, "agent", rpc(`qubes.ConnectTCP+${port}`), request);
  return stdout;
}

async function eachRow(t: Deno.TestContext, qubes: VmSide, machine: Machine, ports: Ports) {
  const { world } = qubes;
  await t.step("agent VM: autostart; the others are halted", () => {
    assertEquals([world.powerState("agent"), world.powerState("client")], ["Running", "Halted"]);
  });
  await t.step("proxy and gateway: services of the agent VM's user", async () => {
    await answers(ports.proxy, "/health", "200 proxy");
    await answers(ports.gateway, "/healthz", "200 gateway");
  });
  await t.step("qrexec tunnels: services of dom0", async () => {
    await answers(ports.dom0Proxy, "/health", "200 proxy");
    await answers(ports.dom0Gateway, "/healthz", "200 gateway");
  });
  await t.step("ConnectTCP handler: its ports and no others", async () => {
    assertStringIncludes(await ask(world, ports.proxy), "200 OK");
    assertStringIncludes(await ask(world, ports.gateway, "/healthz"), "200 OK");
    const { code } = await call(world, "agent", rpc(`qubes.ConnectTCP+${ports.dom0Proxy}`));
    assertEquals(code, 125);
    const status = await qubes.asRoot("agent", ["openclaw-ports", "status", "--json"]);
    assertEquals([status.code, JSON.parse(status.stdout).whitelisted], [0, true]);
  });
  await t.step(
    "policies: the tagged client's login brings its endpoints, another VM is refused",
    async () => {
      await machine.startVm("client");
      await answers(ports.clientProxy, "/health", "200 proxy");
      await answers(ports.clientGateway, "/healthz", "200 gateway");
      await machine.startVm("stranger");
      const child = world.runInVm("stranger", [
        `${world.vmBin}/qrexec-client-vm`,
        "agent",
        `qubes.ConnectTCP+${ports.proxy}`,
      ], { stdout: "piped", stderr: "piped" });
      const { code, stderr } = await child.output();
      assertEquals([code, new TextDecoder().decode(stderr)], [126, "Request refused\n"]);
    },
  );
}

const AGENTS: readonly VmOptions[] = [
  {
    name: "agent",
    prefs: { template: "fedora" },
    tags: ["openclaw-server"],
    features: { "service.openclaw-proxy": "1" }, // keeps the template's client part from starting
  },
  // Without a GUI: its user's services are there by linger, which is on the root volume.
  { name: "agent", klass: "StandaloneVM", prefs: { guivm: "" }, tags: ["openclaw-server"] },
];

for (const agent of AGENTS) {
  Deno.test(`after a reboot everything is there: the agent VM is a ${agent.klass ?? "AppVM"}`, async (t) => {
    await using qubes = await vmSide([
      { name: "fedora", klass: "TemplateVM", running: false },
      agent,
      { name: "client", prefs: { template: "fedora" }, running: false },
      // Not a client, and not from the template that starts the client's part.
      { name: "stranger", running: false },
    ], ["* * @tag:openclaw-client @tag:openclaw-server allow"]);
    const ports = choosePorts();
    if (agent.klass === "StandaloneVM") {
      await write(`${qubes.world.vmRoot("agent")}/var/lib/systemd/linger/user`, "");
    }
    await setUp(qubes, ports);
    const machine = createMachine(qubes.world);
    await machine.halt();
    for (const boot of ["first", "second"]) {
      await t.step(`${boot} boot`, async (t) => {
        await machine.boot();
        await eachRow(t, qubes, machine, ports);
        await machine.halt();
        assertEquals(await answer(ports.dom0Proxy, "/health"), "none", "it is off");
      });
    }
  });
}

Deno.test("what an AppVM does not keep is gone: the simulation forgets as the real one does", async () => {
  await using qubes = await vmSide([
    { name: "fedora", klass: "TemplateVM" },
    { name: "agent", prefs: { template: "fedora" } },
    { name: "alone", klass: "StandaloneVM" },
  ]);
  const { world } = qubes;
  const kept = ["rw/config/x", "home/user/x", "usr/local/etc/qubes-rpc/x"];
  const lost = ["etc/qubes-rpc/x", "etc/qubes/rpc-config/x", "usr/lib/x", "var/lib/x"];
  const there = (vm: string): readonly string[] =>
    [...kept, ...lost, "run/x"].filter((path) => {
      try {
        return Deno.statSync(`${world.vmRoot(vm)}/${path}`).isFile;
      } catch {
        return false;
      }
    });
  for (const vm of ["agent", "alone"]) {
    for (const path of [...kept, ...lost, "run/x"]) await write(`${world.vmRoot(vm)}/${path}`, "x");
    await world.shutdownVm(vm);
    await write(`${world.vmRoot("fedora")}/usr/local/from-template`, "x");
    await write(`${world.vmRoot("fedora")}/etc/from-template`, "x");
    await world.startVm(vm);
  }
  assertEquals(there("agent"), kept);
  assertEquals(there("alone"), [...kept, ...lost]);
  const inherited = ["etc/from-template", "usr/local/from-template"].map((path) =>
    Deno.lstatSync(`${world.vmRoot("fedora")}/${path}`).isFile &&
    [...Deno.readDirSync(`${world.vmRoot("agent")}/${path.slice(0, path.lastIndexOf("/"))}`)]
      .some(({ name }) => name === "from-template")
  );
  assertEquals(inherited, [true, false], "/usr/local is the VM's own");
});

Deno.test("bind-dirs keeps what it names, rc.local runs if it may", async () => {
  await using qubes = await vmSide([
    { name: "fedora", klass: "TemplateVM" },
    { name: "agent", prefs: { template: "fedora" } },
  ]);
  const { world } = qubes;
  const root = world.vmRoot("agent");
  await write(`${world.vmRoot("fedora")}/etc/app/conf`, "from the template\n");
  await write(`${root}/rw/config/qubes-bind-dirs.d/50_user.conf`, "binds+=( '/etc/app' )\n");
  await Deno.mkdir(`${root}/rw/config/rc.local.d`, { recursive: true });
  writeExecutable(
    `${root}/rw/config/rc.local.d/a.rc`,
    '#!/bin/sh\necho a >>"$QUBES_CLAW_ROOT/run/said"\n',
  );
  await write(`${root}/rw/config/rc.local`, '#!/bin/sh\necho b >>"$QUBES_CLAW_ROOT/run/said"\n');
  const restart = async (): Promise<void> => {
    await world.shutdownVm("agent");
    await world.startVm("agent");
  };
  await restart();
  assertEquals(await Deno.readTextFile(`${root}/etc/app/conf`), "from the template\n");
  assertEquals(await Deno.readTextFile(`${root}/run/said`), "a\n", "rc.local is not executable");
  await Deno.writeTextFile(`${root}/etc/app/conf`, "changed\n");
  await Deno.chmod(`${root}/rw/config/rc.local`, 0o755);
  await restart();
  assertEquals(await Deno.readTextFile(`${root}/etc/app/conf`), "changed\n");
  assertEquals(await Deno.readTextFile(`${root}/run/said`), "a\nb\n");
});
