// SPDX-License-Identifier: GPL-2.0-or-later
/** setup-dom0 --key-qube over a simulated Qubes: made, repeated, changed, taken back. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createScene, good, KEYS_POLICY, type SetupScene, vmIn } from "./setup_scene.ts";

const POLICY = `etc/qubes/policy.d/${KEYS_POLICY}`;

const services = (scene: SetupScene, vm: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(vmIn(scene, vm).features).filter(([name]) => name.startsWith("service."))
      .map(([name, value]) => [name.replace("service.openclaw-", ""), value]),
  );
const KEYLESS = { proxy: "", gateway: "1", watchdog: "1", tunnels: "1" };

/** The lines of the policy that say something. */
const rules = (scene: SetupScene): readonly string[] =>
  scene.dom0File(POLICY).split("\n").filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replace(/ +/g, " "));

Deno.test("setup --key-qube: from nothing, again, and back", async (t) => {
  await using scene = await createScene();
  const before = await scene.snapshot();
  const words = [
    ...["claw", "debian", "--key-qube", "claw-keys", "--key-template=fedora"],
    "--key-netvm=sys-firewall",
  ];
  await t.step("a dry run prints it and changes nothing", async () => {
    const said = await good(scene, [...words, "--dry-run"]);
    for (
      const line of [
        "qvm-create --class AppVM --template fedora --label gray claw-keys\n",
        "qvm-prefs claw-keys netvm sys-firewall\n",
        "qvm-tags claw-keys add openclaw-keys\n",
        "qvm-service claw-keys openclaw-proxy on\n",
        "qvm-prefs claw netvm none\n",
        "qvm-tags claw add openclaw-keyless\n",
        "qvm-service claw openclaw-proxy off\n",
        "qvm-service claw openclaw-tunnels on\n",
      ]
    ) assertStringIncludes(said, line);
    assertEquals(await scene.snapshot(), before);
  });
  await t.step("it is made, without a question, as the agent VM is new", async () => {
    const said = await good(scene, words);
    assertMatch(said, /all \d+ are as wanted\n\nWhat next:\n/);
    assertStringIncludes(said, '{"clients": {"agent": {"vm": "claw"}}}');
    assertStringIncludes(said, "sudo openclaw-ports install --per-vm 32125");
    const [claw, keys] = [vmIn(scene, "claw"), vmIn(scene, "claw-keys")];
    assertEquals(claw.prefs["netvm"], "");
    assertEquals([...claw.tags].sort(), [
      ...["ai-services", "created-by-dom0", "openclaw-keyless", "openclaw-server"],
    ]);
    assertEquals(claw.features["openclaw-key-qube"], "claw-keys");
    assertEquals(services(scene, "claw"), KEYLESS);
    assertEquals([keys.klass, keys.label], ["AppVM", "gray"]);
    assertEquals(keys.prefs, { template: "fedora", netvm: "sys-firewall", autostart: "True" });
    assertEquals([...keys.tags].sort(), ["ai-services", "created-by-dom0", "openclaw-keys"]);
    assertEquals(services(scene, "claw-keys"), { proxy: "1" });
    assertEquals(rules(scene), [
      "qubes.ConnectTCP +32125 @tag:openclaw-server @default allow target=claw-keys autostart=no",
      "openclaw.Mux +32125 @tag:openclaw-server @default allow target=claw-keys autostart=no",
    ]);
    assertStringIncludes(
      scene.dom0File("etc/qubes/openclaw.conf"),
      "\nOPENCLAW_VM=claw\nOPENCLAW_PROXY_PORT=none\nOPENCLAW_GATEWAY_PORT=18789\n",
    );
  });
  await t.step("again: nothing; what is missing is seen and comes back", async () => {
    assertStringIncludes(await good(scene, words), "Nothing to change");
    await new Deno.Command(`${scene.world.dom0Bin}/qvm-prefs`, {
      args: ["claw", "netvm", "sys-firewall"],
    }).output();
    const seen = await scene.setup([...words, "--verify"]);
    assertEquals(seen.code, 1);
    assertMatch(
      seen.stdout,
      /MISSING {2}claw pref netvm = none\n.*next: qvm-prefs claw netvm none/,
    );
    assertStringIncludes(await good(scene, [...words, "--yes"]), "claw pref netvm = none");
  });
  await t.step("undo --remove-vms: the world is as it was", async () => {
    await good(scene, ["--undo", "--remove-vms"], "yes\n");
    assertEquals(await scene.snapshot(), before);
  });
});

Deno.test("setup --key-qube: an agent VM that has a network is taken off it after a yes only", async () => {
  await using scene = await createScene([
    { name: "mine", running: false, prefs: { netvm: "sys-firewall" } },
    { name: "vault", running: false, prefs: { netvm: "" } },
  ]);
  const before = await scene.snapshot();
  const words = ["mine", "--key-qube", "vault", "--proxy-port=4000"];
  const no = await scene.setup(words, "no\n");
  assertEquals(no.code, 1);
  assertStringIncludes(no.stderr, "mine loses its network (its netvm is sys-firewall)");
  assertStringIncludes(no.stderr, "note: vault has no netvm: its proxy will reach no provider");
  assertEquals(await scene.snapshot(), before);

  await good(scene, words, "yes\n");
  assertEquals(vmIn(scene, "mine").prefs["netvm"], "");
  assertStringIncludes(
    rules(scene).join("\n"),
    "+4000 @tag:openclaw-server @default allow target=vault",
  );
  await good(scene, ["--undo"]);
  assertEquals(await scene.snapshot(), before);
});

Deno.test("setup --key-qube: two agent VMs, and one that gets its own proxy back", async () => {
  await using scene = await createScene([
    { name: "one", running: false, prefs: { netvm: "sys-firewall" } },
    { name: "two", running: false, prefs: { netvm: "sys-net" } },
    { name: "keys", running: false, prefs: { netvm: "sys-firewall" } },
  ]);
  const before = await scene.snapshot();
  for (const agent of ["one", "two"]) await good(scene, [agent, "--key-qube", "keys", "--yes"]);
  assertEquals([services(scene, "one"), services(scene, "two")], [KEYLESS, KEYLESS]);

  await good(scene, ["one"]);
  assertEquals(services(scene, "one"), { proxy: "1", gateway: "1", watchdog: "1" });
  const one = vmIn(scene, "one");
  assertEquals(one.prefs["netvm"], "sys-firewall");
  assertEquals([one.tags.includes("openclaw-keyless"), one.features["openclaw-key-qube"]], [
    ...[false, undefined],
  ]);
  assertStringIncludes(scene.dom0File("etc/qubes/openclaw.conf"), "OPENCLAW_PROXY_PORT=32125\n");
  assertEquals([services(scene, "two"), vmIn(scene, "two").prefs["netvm"]], [KEYLESS, ""]);
  assertEquals(rules(scene).length, 2, "the other one needs it still");

  await good(scene, ["two"]);
  assertEquals(vmIn(scene, "two").prefs["netvm"], "sys-net");
  const files = (await scene.snapshot())["files"] as Record<string, string>;
  assert(!Object.keys(files).some((name) => name.endsWith(KEYS_POLICY)));
  await good(scene, ["--undo"]);
  assertEquals(await scene.snapshot(), before);
});

Deno.test("setup --key-qube: what does not fit is refused before anything is run", async () => {
  await using scene = await createScene([{ name: "mine", running: false }]);
  const before = await scene.snapshot();
  const refused: readonly (readonly [code: number, said: string, ...words: string[]])[] = [
    [2, "--key-qube", "claw", "--key-qube", "a;b"],
    [2, "are the same qube", "claw", "--key-qube", "claw"],
    [2, "are the same qube", "claw", "--admin-vm", "keys", "--key-qube", "keys"],
    [2, "are the same qube", "claw", "--key-qube", "keys", "--key-netvm", "keys"],
    [2, "goes with --key-qube only", "claw", "--key-netvm", "sys-firewall"],
    [2, "goes with --key-qube only", "claw", "--key-template", "fedora"],
    [2, "with --key-qube the agent VM has no netvm", "claw", "debian", "sys-net", "--key-qube=k"],
    [2, "needs a netvm", "claw", "debian", "none", "10.0.0.1", "network", "--key-qube=k"],
    [1, "no template called", "claw", "--key-qube", "keys", "--key-template", "nowhere"],
    [1, "does not provide network", "claw", "--key-qube", "keys", "--key-netvm", "mine"],
    [1, "is a TemplateVM", "claw", "--key-qube", "fedora"],
  ];
  for (const [code, said, ...words] of refused) {
    const end = await scene.setup(words);
    assertEquals(end.code, code, `${words}: ${end.stderr}`);
    assertStringIncludes(end.stderr, said, `${words}`);
  }
  assertEquals(await scene.snapshot(), before);
});
