// SPDX-License-Identifier: GPL-2.0-or-later
/** setup-dom0 in network mode over a simulated Qubes: asks, opens, closes, takes back. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { BLOCK_BEGIN, BLOCK_END } from "../../dom0/setup/vm_block.ts";
import { readWorld } from "../sim/world_config.ts";
import { createScene, FIREWALL_SCRIPT, FRESH_SCRIPT, good, RC_LOCAL, vmIn } from "./setup_scene.ts";

Deno.test("setup: network mode, back to tunnel mode, and back", async (t) => {
  await using scene = await createScene();
  const { world } = scene;
  const rcLocal = `${FRESH_SCRIPT}echo mine`; // no line feed at the end
  const before = await scene.snapshot();
  const script = (vm: string, path: string) => Deno.readTextFileSync(`${world.vmRoot(vm)}/${path}`);

  await t.step("it says what it gives up, and takes no for an answer", async () => {
    const { code, stderr } = await scene.setup([
      "claw",
      "fedora",
      "sys-firewall",
      "10.137.0.100",
      "network",
    ]);
    assertEquals(code, 1);
    for (const part of ["gives up", "below sys-firewall", "reaches sys-net", "token"]) {
      assertStringIncludes(stderr, part);
    }
    assertEquals(await scene.snapshot(), before);
  });
  await t.step("yes: address, blocks in the agent and in each netvm", async () => {
    await Deno.writeTextFile(`${world.vmRoot("sys-net")}/${FIREWALL_SCRIPT}`, rcLocal);
    await good(scene, ["claw", "--mode", "network"], "yes\n");
    assertEquals(vmIn(scene, "claw").prefs["ip"], "10.137.0.100");
    assertEquals(world.powerState("claw"), "Halted");
    const agent = script("claw", RC_LOCAL);
    assertStringIncludes(
      agent,
      "ip daddr 10.137.0.100 tcp dport { 32125, 18789 } dnat to 127.0.0.1",
    );
    const inner = script("sys-firewall", FIREWALL_SCRIPT);
    assertStringIncludes(inner, `${FRESH_SCRIPT}${BLOCK_BEGIN}\n`);
    assertMatch(inner, /custom-forward ip daddr 10\.137\.0\.100 tcp dport/);
    const outer = script("sys-net", FIREWALL_SCRIPT);
    const address = `10.137.0.${
      readWorld(world.folder).vms.findIndex(({ name }) => name === "sys-firewall") + 5
    }`;
    assertStringIncludes(outer, `dnat to ${address}'`);
    assertStringIncludes(outer, `custom-forward iifgroup != 2 ip daddr ${address} tcp`);
    assert(outer.startsWith(`${rcLocal}\n${BLOCK_BEGIN}\n`) && outer.endsWith(`${BLOCK_END}\n`));
    assertStringIncludes(
      Deno.readTextFileSync(`${world.vmRoot("sys-net")}/kernel.log`),
      "nft add rule ip qubes custom-forward",
    );
  });
  await t.step("again: nothing to change, with the agent running and halted", async () => {
    assertStringIncludes(
      await good(scene, ["claw", "--mode", "network", "--yes"]),
      "Nothing to change",
    );
    await world.startVm("claw");
    assertStringIncludes(
      await good(scene, ["claw", "--mode", "network", "--yes"]),
      "Nothing to change",
    );
    await world.shutdownVm("claw");
  });
  await t.step("tunnel mode closes what network mode opened", async () => {
    await good(scene, ["claw"]);
    assertEquals(vmIn(scene, "claw").prefs["ip"], undefined);
    assertEquals(script("sys-firewall", FIREWALL_SCRIPT), FRESH_SCRIPT);
    assertEquals(script("sys-net", FIREWALL_SCRIPT), `${rcLocal}\n`);
  });
  await t.step("undo from network mode", async () => {
    await good(scene, ["claw", "--mode", "network", "--yes"]);
    await Deno.writeTextFile(
      `${world.vmRoot("sys-net")}/${FIREWALL_SCRIPT}`,
      FRESH_SCRIPT + script("sys-net", FIREWALL_SCRIPT).slice(rcLocal.length + 1),
    );
    await good(scene, ["--undo", "--remove-vms", "--yes"]);
    assertEquals(await scene.snapshot(), before);
  });
  await t.step("an address that another VM has is refused", async () => {
    const { code, stderr } = await scene.setup([
      "claw",
      "--mode=network",
      "--ip=10.137.0.7",
      "--yes",
    ]);
    assertEquals([code, stderr.includes("has the address 10.137.0.7")], [1, true]);
    assertEquals(await scene.snapshot(), before);
  });
});
