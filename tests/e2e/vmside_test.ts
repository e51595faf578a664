// SPDX-License-Identifier: GPL-2.0-or-later
/** The whitelist of the agent VM, by real calls through the simulated qrexec. */
import { freePort } from "./free_port.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { installAgentPackage } from "../sim/distribution.ts";
import { call, killChild, rpc, spawnClient } from "../sim/test_tools.ts";
import type { VmOptions } from "../sim/world.ts";
import { earlyServer, lateServer, type VmSide, vmSide } from "./vmside_world.ts";
import { writeExecutable } from "../executable.ts";

const TEMPLATE: VmOptions = { name: "fedora", klass: "TemplateVM" };
const KINDS: readonly { readonly kind: string; readonly vms: readonly VmOptions[] }[] = [
  { kind: "AppVM", vms: [TEMPLATE, { name: "agent", prefs: { template: "fedora" } }] },
  { kind: "StandaloneVM", vms: [{ name: "agent", klass: "StandaloneVM" }] },
];
const hasSocat = await new Deno.Command("socat", { args: ["-V"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);

async function good(run: ReturnType<VmSide["asRoot"]>): Promise<string> {
  const { code, stdout, stderr } = await run;
  assertEquals(code, 0, stdout + stderr);
  return stdout;
}

/** The server ends while our side is open: does that reach us? */
async function serverEnd(qubes: VmSide, port: number): Promise<string> {
  const child = spawnClient(qubes.world, "agent", rpc(`qubes.ConnectTCP+${port}`));
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("hello"));
  const text = await new Response(child.stdout).text();
  writer.releaseLock();
  await killChild(child);
  return text;
}

/** Every port but the open ones, and every odd argument. */
async function othersAreRefused(qubes: VmSide, open: number): Promise<void> {
  using closed = lateServer(0);
  const odd = [
    ...[`+${closed.port}`, "", "+", `+0${open}`, `+${open}+1`, `+127.0.0.1+${closed.port}`],
    ...["+$(touch${IFS}hacked)", "+;touch${IFS}hacked", "+`touch${IFS}hacked`", "+%s%n,fork"],
    ...[`+-${open}`, `+${open},fork`, "+../../../bin/sh", `+${"9".repeat(200)}`],
  ];
  for (const service of ["qubes.ConnectTCP", "openclaw.Mux"]) {
    for (const argument of odd) {
      const { code, stdout } = await call(qubes.world, "agent", rpc(service + argument), "data");
      assertEquals([code, stdout], [125, ""], service + argument);
    }
  }
  assertEquals(closed.count(), 0, "a closed port was reached");
  const log = qubes.world.vmLog("agent");
  assertStringIncludes(log, `refused: qubes.ConnectTCP+${closed.port} from dom0`);
  assertStringIncludes(log, "refused: openclaw.Mux+??touch??IFS?hacked? from dom0");
  assertEquals(await Deno.stat(`${qubes.world.vmHome("agent")}/hacked`).catch(() => null), null);
}

for (const { kind, vms } of KINDS) {
  for (const form of ["link", "script"] as const) {
    Deno.test({
      name: `${kind}, ${form}: open ports answer with both half-closes, others are refused`,
      ignore: form === "script" && !hasSocat,
      fn: async () => {
        await using qubes = await vmSide(vms);
        if (form === "script") {
          installAgentPackage(qubes.world, "agent", "script");
          if (kind === "AppVM") installAgentPackage(qubes.world, "fedora", "script");
        }
        using late = lateServer();
        using early = earlyServer();
        const words = ["openclaw-ports", "install", `${late.port}`, `${early.port}`];
        const said = await good(qubes.asRoot("agent", words));
        assertStringIncludes(said, form === "link" ? "links that the qrexec" : "scripts: ");
        const check = async (): Promise<void> => {
          const service = rpc(`qubes.ConnectTCP+${late.port}`);
          const { code, stdout } = await call(qubes.world, "agent", service, "question");
          assertEquals([code, stdout], [0, "late answer to question"]);
          assertEquals(await serverEnd(qubes, early.port), "bye");
          await othersAreRefused(qubes, late.port);
          assertStringIncludes(
            await good(qubes.asRoot("agent", ["openclaw-ports", "status"])),
            "the whitelist holds",
          );
        };
        await check();
        // An AppVM's root volume is the template's again, and so is its qubes.ConnectTCP.
        await qubes.world.shutdownVm("agent");
        if (kind === "StandaloneVM") installAgentPackage(qubes.world, "agent", form); // an update
        await qubes.world.startVm("agent");
        await check();
      },
    });
  }
}

Deno.test("a template's list counts in its AppVMs, from their next start, and stays theirs", async () => {
  await using qubes = await vmSide(KINDS[0]?.vms ?? []);
  using late = lateServer(0);
  const before = await call(qubes.world, "agent", rpc(`qubes.ConnectTCP+${late.port}`), "x");
  assertEquals(before.code, 0, "the distribution's own serves every port");
  const words = ["openclaw-ports", "install", `${late.port}`];
  const { code, stderr } = await qubes.asRoot("fedora", words);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "in every VM of this template");
  const status = await good(qubes.asRoot("fedora", ["openclaw-ports", "status", "--json"]));
  assertEquals(JSON.parse(status).whitelisted, true);
  await qubes.world.shutdownVm("agent");
  await qubes.world.startVm("agent");
  const { stdout } = await call(qubes.world, "agent", rpc(`qubes.ConnectTCP+${late.port}`), "x");
  assertEquals(stdout, "late answer to x");
  await othersAreRefused(qubes, late.port);

  await good(qubes.asRoot("fedora", ["openclaw-ports", "remove"]));
  await qubes.world.shutdownVm("agent");
  await qubes.world.startVm("agent");
  const other = lateServer(0);
  const again = await call(qubes.world, "agent", rpc(`qubes.ConnectTCP+${other.port}`), "x");
  assertEquals(again.stdout, "late answer to x", "the link that is left over leads nowhere");
  other[Symbol.dispose]();
});

Deno.test("install makes the list exactly what is named, and leaves alone what others wrote", async (t) => {
  await using qubes = await vmSide(KINDS[1]?.vms ?? []);
  const root = qubes.world.vmRoot("agent");
  const names = (folder: string): string[] =>
    [...Deno.readDirSync(root + folder)].map(({ name }) => name)
      .filter((name) => /ConnectTCP|Mux/.test(name)).sort();
  await t.step("the default is the two ports", async () => {
    const planned = await good(qubes.asRoot("agent", ["openclaw-ports", "install", "--dry-run"]));
    assertStringIncludes(planned, "would write /etc/qubes-rpc/qubes.ConnectTCP+32125");
    assertEquals(names("/etc/qubes-rpc"), ["qubes.ConnectTCP"]);
    await good(qubes.asRoot("agent", ["openclaw-ports", "install"]));
    assertEquals(names("/etc/qubes-rpc"), [
      ...["openclaw.Mux+18789", "openclaw.Mux+32125"],
      ...["qubes.ConnectTCP", "qubes.ConnectTCP+18789", "qubes.ConnectTCP+32125"],
    ]);
    assertEquals(names("/usr/local/etc/qubes-rpc"), ["openclaw.Mux", "qubes.ConnectTCP"]);
    const link = Deno.readLinkSync(`${root}/etc/qubes-rpc/qubes.ConnectTCP+32125`);
    assertEquals(link, "/dev/tcp/127.0.0.1");
    const mux = await Deno.realPath(`${root}/etc/qubes-rpc/openclaw.Mux+32125`);
    assertEquals(mux, `${root}/usr/lib/qubes-claw/openclaw.Mux`);
  });
  await t.step("again: nothing changes; with others: the old ones go", async () => {
    const again = await good(qubes.asRoot("agent", ["openclaw-ports", "install"]));
    assert(!again.includes("wrote"), again);
    const fewer = await good(qubes.asRoot("agent", ["openclaw-ports", "install", "32125"]));
    assertStringIncludes(fewer, "removed /etc/qubes-rpc/qubes.ConnectTCP+18789");
    assertEquals(names("/etc/qubes-rpc").filter((name) => name.endsWith("18789")), []);
  });
  await t.step("someone else's files", async () => {
    const foreign = `${root}/etc/qubes-rpc/qubes.ConnectTCP+8080`;
    writeExecutable(foreign, "#!/bin/sh\nexec true\n");
    const { code, stderr } = await qubes.asRoot("agent", ["openclaw-ports", "install", "8080"]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "+8080 was not written by openclaw-ports");
    const said = await good(qubes.asRoot("agent", ["openclaw-ports", "install"]));
    assertStringIncludes(said, "left, not ours: /etc/qubes-rpc/qubes.ConnectTCP+8080");
    const status = JSON.parse(
      await good(qubes.asRoot("agent", ["openclaw-ports", "status", "--json"])),
    );
    const seen = status.open.find(({ port }: { port: string }) => port === "8080");
    assertEquals([seen.ours, seen.served_by], [false, "program"]);
    await Deno.remove(foreign);
  });
  await t.step("remove takes back all of it; status says that the rest is open", async () => {
    await good(qubes.asRoot("agent", ["openclaw-ports", "remove"]));
    assertEquals(names("/etc/qubes-rpc"), ["qubes.ConnectTCP"]);
    assertEquals(names("/usr/local/etc/qubes-rpc"), []);
    const { code, stdout } = await qubes.asRoot("agent", ["openclaw-ports", "status"]);
    assertEquals(code, 1);
    assertMatch(stdout, /OPEN +qubes\.ConnectTCP, every other port/);
    assertStringIncludes(
      await good(qubes.asRoot("agent", ["openclaw-ports", "remove"])),
      "nothing",
    );
  });
});

Deno.test("a port that is open and on which nobody listens is 125 as well", async () => {
  await using qubes = await vmSide(KINDS[1]?.vms ?? []);
  const nobody = freePort();
  await good(qubes.asRoot("agent", ["openclaw-ports", "install", `${nobody}`]));
  assertEquals((await call(qubes.world, "agent", rpc(`qubes.ConnectTCP+${nobody}`))).code, 125);
});
