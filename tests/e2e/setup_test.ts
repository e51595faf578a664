// SPDX-License-Identifier: GPL-2.0-or-later
/** setup-dom0 over a simulated Qubes: what it makes, that it repeats, that it takes back. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createScene, good, POLICY, type Snapshot, UNIT, vmIn, without } from "./setup_scene.ts";

Deno.test("setup: a fresh agent VM, again, and back", async (t) => {
  await using scene = await createScene();
  const before = await scene.snapshot();
  const words = ["claw", "debian", "sys-firewall", "10.137.0.100", "tunnel"];

  await t.step("a dry run prints commands and changes nothing", async () => {
    const said = await good(scene, [...words, "--dry-run"]);
    for (
      const line of [
        "qvm-create --class StandaloneVM --template debian --label orange claw\n",
        "qvm-prefs claw autostart True\n",
        "qvm-tags claw add openclaw-server\n",
        "qvm-features claw openclaw-proxy-port 32125\n",
        "qvm-service claw openclaw-gateway on\n",
        "/etc/qubes/openclaw.conf <<'END_OF_INPUT'\n",
        `systemctl enable ${UNIT}\n`,
        "# note: the address 10.137.0.100 is used in network mode only\n",
        "nothing was changed\n",
      ]
    ) assertStringIncludes(said, line);
    assertEquals(await scene.snapshot(), before);
  });
  await t.step("it is made, verified, and what is next is said", async () => {
    const said = await good(scene, words);
    assertMatch(said, /Verification:\n( {2}ok .*\n)+all \d+ are as wanted\n\nWhat next:\n/);
    const claw = vmIn(scene, "claw");
    assertEquals([claw.klass, claw.label], ["StandaloneVM", "orange"]);
    assertEquals(claw.prefs, {
      ...{ autostart: "True", maxmem: "6000", memory: "2000", netvm: "sys-firewall" },
    });
    assertEquals([...claw.tags].sort(), ["ai-services", "created-by-dom0", "openclaw-server"]);
    const on = (name: string) => claw.features[`service.openclaw-${name}`];
    assertEquals([on("proxy"), on("gateway"), on("watchdog")], ["1", "1", "1"]);
    assertEquals(claw.features["openclaw-role"], "server");
    assertEquals(claw.features["supported-service.openclaw-tunnels"], "1");
    assertEquals(scene.dom0File("etc/qubes/policy.d/50-openclaw.policy"), POLICY);
    assertStringIncludes(
      scene.dom0File("etc/qubes/openclaw.conf"),
      "\nOPENCLAW_VM=claw\nOPENCLAW_PROXY_PORT=32125\nOPENCLAW_GATEWAY_PORT=18789\n",
    );
    assertEquals((await scene.snapshot())["units"], { [UNIT]: { enabled: true, active: true } });
  });
  await t.step("a second run changes nothing and says so", async () => {
    const made = await scene.snapshot();
    assertStringIncludes(await good(scene, words), "Nothing to change");
    assertEquals(await scene.snapshot(), made);
    assertStringIncludes(await good(scene, [...words, "--verify"]), "are as wanted");
    const plan = JSON.parse(await good(scene, [...words, "--dry-run", "--json"]));
    assertEquals(plan.steps, []);
  });
  await t.step("what someone took away is missing, and comes back", async () => {
    const tool = (name: string, ...args: string[]) =>
      new Deno.Command(`${scene.world.dom0Bin}/${name}`, { args }).output();
    await tool("qvm-tags", "claw", "del", "openclaw-server");
    const seen = await scene.setup([...words, "--verify"]);
    assertEquals(seen.code, 1);
    assertMatch(seen.stdout, /MISSING {2}claw tag openclaw-server\n.*next: qvm-tags claw add /);
    assertStringIncludes(await good(scene, words), "claw tag openclaw-server");
  });
  await t.step("undo keeps the VM, and takes the rest back", async () => {
    const made = await scene.snapshot();
    assertStringIncludes(await good(scene, ["--undo", "--dry-run"]), "qvm-features --unset claw ");
    assertEquals(await scene.snapshot(), made);
    const said = await good(scene, ["--undo"]);
    assertStringIncludes(said, "KEPT VM claw: the VM and its data; setup-dom0 --undo --remove-vms");
    const { files, ...rest } = without(await scene.snapshot(), "claw") as Snapshot;
    const names = Object.keys(files as object).filter((name) => name.includes("openclaw"));
    assertEquals(names, ["dom0:var/lib/openclaw/setup.json"]);
    const { files: _, ...restBefore } = before;
    assertEquals(rest, restBefore);
    assertEquals(vmIn(scene, "claw").prefs, {});
    assertEquals(vmIn(scene, "claw").tags, ["created-by-dom0"]);
  });
  await t.step("undo --remove-vms asks, and then the world is as it was", async () => {
    const refused = await scene.setup(["--undo", "--remove-vms"], "no\n");
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, "removes claw with all data in it");
    assert(vmIn(scene, "claw"));
    await good(scene, ["--undo", "--remove-vms"], "yes\n");
    assertEquals(await scene.snapshot(), before);
    assertStringIncludes(await good(scene, ["--undo"]), "Nothing to take back");
  });
});

Deno.test("setup: a VM that is there is adopted, with what was in the way put aside", async () => {
  await using scene = await createScene([{
    name: "mine",
    running: false,
    label: "green",
    tags: ["ai-services", "own"],
    features: { "openclaw-role": "something", "service.openclaw-proxy": "" },
    prefs: { template: "fedora", autostart: "False", memory: "700" },
  }]);
  const etc = `${scene.world.dom0Root}/etc/qubes`;
  await Deno.writeTextFile(`${etc}/openclaw.conf`, "OPENCLAW_VM=other\n");
  await Deno.chmod(`${etc}/openclaw.conf`, 0o640);
  await Deno.writeTextFile(`${etc}/policy.d/50-openclaw.policy`, "# my own\n");
  const before = await scene.snapshot();

  const said = await good(scene, [
    "mine",
    "debian",
    "--proxy-port",
    "18789",
    "--gateway-port=4000",
  ]);
  assertStringIncludes(said, "mine is there already: its template stays as it is");
  const mine = vmIn(scene, "mine");
  assertEquals([mine.klass, mine.label, mine.prefs["memory"]], ["AppVM", "green", "700"]);
  assertEquals([mine.prefs["template"], mine.prefs["autostart"]], ["fedora", "True"]);
  assertEquals(mine.features["service.openclaw-proxy"], "1");
  assertEquals(scene.dom0File("etc/qubes/openclaw.conf.before-setup"), "OPENCLAW_VM=other\n");
  const policy = scene.dom0File("etc/qubes/policy.d/50-openclaw.policy");
  assertEquals(policy, POLICY.replace("18789", "4000").replace("32125", "18789"));
  await good(scene, ["mine", "--proxy-port", "32125"]); // changed again: the first state is kept
  assertEquals(scene.dom0File("etc/qubes/openclaw.conf.before-setup"), "OPENCLAW_VM=other\n");

  await good(scene, ["--undo", "--remove-vms"]); // and a VM that was there is never removed
  assertEquals(await scene.snapshot(), before);
});

Deno.test("setup: undo leaves alone what was changed by someone else since", async () => {
  await using scene = await createScene([{ name: "mine", running: false }]);
  await good(scene, ["mine"]);
  const conf = `${scene.world.dom0Root}/etc/qubes/openclaw.conf`;
  await Deno.writeTextFile(conf, "OPENCLAW_VM=elsewhere\n");
  const said = await good(scene, ["--undo"]);
  assertStringIncludes(said, "somebody else has changed it since");
  assertEquals(await Deno.readTextFile(conf), "OPENCLAW_VM=elsewhere\n");
});

Deno.test("setup: a failure in the middle, then again, then back", async () => {
  await using scene = await createScene();
  const before = await scene.snapshot();
  await scene.breakTool("qvm-features", "openclaw-gateway-port 18789");
  const failed = await scene.setup(["claw"]);
  assertEquals(failed.code, 1);
  assertMatch(failed.stderr, /error: "qvm-features claw openclaw-gateway-port 18789" ended with 1/);
  assertStringIncludes(failed.stderr, "run the same again to go on, or setup-dom0 --undo");
  await scene.breakTool("qvm-features", undefined);
  const half = await scene.snapshot();
  assertEquals(vmIn(scene, "claw").features["openclaw-gateway-port"], undefined);

  const again = await good(scene, ["claw"]);
  assert(!again.includes("claw tag openclaw-server ("), "what was done is not done again");
  assertEquals(vmIn(scene, "claw").prefs["memory"], "2000");
  await good(scene, ["--undo", "--remove-vms", "--yes"]);
  assertEquals(await scene.snapshot(), before);

  await scene.breakTool("qvm-features", "openclaw-gateway-port 18789");
  assertEquals((await scene.setup(["claw"])).code, 1);
  await scene.breakTool("qvm-features", undefined);
  assertEquals(without(await scene.snapshot()), without(half));
  await good(scene, ["--undo", "--remove-vms", "--yes"]);
  assertEquals(await scene.snapshot(), before);
});

Deno.test("setup: the form with an admin VM", async () => {
  await using scene = await createScene([{ name: "claw", running: false }]);
  const before = await scene.snapshot();
  const words = ["claw", "--admin-vm", "claw-admin", "--admin-template", "debian"];
  await good(scene, [...words, "--inter-vm"]);
  const admin = vmIn(scene, "claw-admin");
  assertEquals([admin.klass, admin.label], ["AppVM", "blue"]);
  assertEquals(admin.prefs, { template: "debian", netvm: "", autostart: "True" });
  assertEquals(admin.firewall, ["action=drop", "action=accept"]);
  assertEquals(
    [...admin.tags].sort(),
    ["ai-services", "created-by-dom0", "openclaw-admin", "openclaw-client"],
  );
  assertEquals(admin.features["openclaw-server-vm"], "claw");
  assertEquals(admin.features["service.openclaw-tunnels"], "1");
  scene.dom0File("etc/qubes/policy.d/30-openclaw-inter-vm.policy");
  assertStringIncludes(await good(scene, [...words, "--inter-vm"]), "Nothing to change");

  await good(scene, [...words, "--admin-netvm", "sys-firewall"]);
  assertEquals(vmIn(scene, "claw-admin").prefs["netvm"], "sys-firewall");
  assertEquals(vmIn(scene, "claw-admin").firewall, ["action=drop", "action=accept"]);
  await good(scene, ["--undo", "--remove-vms"], "yes\n");
  assertEquals(await scene.snapshot(), before);
});

Deno.test("setup: what does not fit is refused before anything is run", async () => {
  await using scene = await createScene([{ name: "mine", running: false }]);
  const before = await scene.snapshot();
  const refused: readonly (readonly [code: number, said: string, ...words: string[]])[] = [
    [2, "too few words"],
    [2, "AGENT-VM", "a;reboot"],
    [2, "AGENT-VM", "claw-dm"],
    [2, "AGENT-VM", "dom0"],
    [2, "AGENT-VM", ""],
    [2, "AGENT-VM", "a".repeat(32)],
    [2, "TEMPLATE", "claw", "$(id)"],
    [2, "NETVM", "claw", "fedora", "none; x"],
    [2, "private IPv4", "claw", "fedora", "none", "8.8.8.8", "tunnel"],
    [2, "private IPv4", "claw", "fedora", "none", "10.137.0.0100", "tunnel"],
    [2, "private IPv4", "claw", "fedora", "none", "10.137.0.1}drop", "tunnel"],
    [2, '"tunnel" or "network"', "claw", "fedora", "none", "10.0.0.1", "lan"],
    [2, "unexpected word", "claw", "fedora", "none", "10.0.0.1", "tunnel", "more"],
    [2, "given twice", "claw", "fedora", "--template", "debian"],
    [2, "unknown option", "claw", "--nonsense"],
    [2, "--proxy-port takes a port", "claw", "--proxy-port", "80"],
    [2, "--gateway-port takes a port", "claw", "--gateway-port", "0x4000"],
    [2, "cannot both have port", "claw", "--proxy-port=18789"],
    [2, "needs a netvm", "claw", "fedora", "none", "10.0.0.1", "network"],
    [2, "are the same qube", "claw", "--admin-vm", "claw"],
    [2, "are the same qube", "claw", "claw"],
    [2, "goes with --admin-vm only", "claw", "--admin-netvm", "none"],
    [2, "--undo does not go with --template", "--undo", "--template", "fedora"],
    [2, "goes with --undo only", "claw", "--remove-vms"],
    [2, "--label takes one of", "claw", "--label", "pink"],
    [2, "--memory (MiB) takes", "claw", "--memory", "1e9"],
    [2, "is less than --memory", "claw", "--memory", "4000", "--maxmem", "2000"],
    [1, "no template called", "claw", "nowhere"],
    [1, "no template called", "claw", "sys-net"],
    [1, "there is no netvm called", "mine", "fedora", "nowhere"],
    [1, "does not provide network", "claw", "fedora", "mine"],
    [1, "is a TemplateVM", "fedora"],
  ];
  for (const [code, said, ...words] of refused) {
    const end = await scene.setup(words);
    assertEquals(end.code, code, `${words}: ${end.stderr}`);
    assertStringIncludes(end.stderr, said, `${words}`);
    assertEquals(end.stdout, "");
  }
  assertEquals(await scene.snapshot(), before);
});

Deno.test("setup: a package that is not installed is said first", async () => {
  await using scene = await createScene();
  const before = await scene.snapshot();
  const unit = `${scene.world.dom0Root}/usr/lib/systemd/system/${UNIT}`;
  await Deno.remove(unit);
  const { code, stderr } = await scene.setup(["claw", "--dry-run"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `${UNIT} is not installed`);
  await Deno.writeTextFile(unit, "");
  await Deno.remove(`${scene.world.dom0Root}/usr/share/qubes-claw/policies/50-openclaw.policy`);
  assertStringIncludes(
    (await scene.setup(["claw", "--dry-run"])).stderr,
    "50-openclaw.policy is not there",
  );
  assertEquals(await scene.snapshot(), before);
});

Deno.test("setup: --json, --help and --version", async () => {
  await using scene = await createScene([{ name: "mine", running: false }]);
  const plan = JSON.parse(await good(scene, ["mine", "--dry-run", "--json"]));
  const tag = plan.steps.find(({ what }: { what: string }) => what === "mine tag openclaw-server");
  assertEquals(tag.commands, [{ argv: ["qvm-tags", "mine", "add", "openclaw-server"] }]);
  const made = JSON.parse(await good(scene, ["mine", "--json"]));
  assertEquals(made.changed.length, plan.steps.length);
  assert(made.verification.every(({ isSo }: { isSo: boolean }) => isSo));
  const back = JSON.parse(await good(scene, ["--undo", "--json"]));
  assert(back.undo.every(({ result }: { result: string }) => result === "done"));
  assertMatch(await good(scene, ["--help"]), /^setup-dom0 - .*\n\nusage: setup-dom0 AGENT-VM/);
  assertMatch(await good(scene, ["--version"]), /^setup-dom0 \d/);
});
