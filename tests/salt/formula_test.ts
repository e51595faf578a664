// SPDX-License-Identifier: GPL-2.0-or-later
/** The formula for Salt, rendered, over a simulated Qubes: twice, the second time without a change. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { PACKAGES } from "../../shared/packaging/packages.ts";
import { finish, install } from "../e2e/installed.ts";
import { createScene, vmIn } from "../e2e/setup_scene.ts";
import { setupVm } from "../e2e/setup_vm_world.ts";
import type { World } from "../sim/world.ts";
import { type Applied, apply, type Minion, render, renderStates } from "./apply.ts";

const FORMULA = new URL("../../shared/packaging/salt/", import.meta.url);
const SHIPPED = ["dom0", "vms"].map((name) =>
  Deno.readTextFileSync(new URL(`pillar/${name}.sls`, FORMULA))
);

const piped = { stdin: "null", stdout: "piped", stderr: "piped" } as const;

function dom0Of(world: World): Minion {
  return {
    root: world.dom0Root,
    packages: new Set(),
    run: ([program = "", ...args]) =>
      finish(
        new Deno.Command(program, { args, clearEnv: true, env: world.dom0Env(), ...piped }).spawn(),
      ),
  };
}

/** A VM, as its user, whose home is where the user's is. */
function vmOf(world: World, vm: string): Minion {
  return {
    root: world.vmRoot(vm),
    packages: new Set(),
    run: (words) =>
      finish(
        world.runInVm(vm, words, {
          env: { QUBES_CLAW_ROOT: world.vmRoot(vm), USER: "user" },
          ...piped,
        }),
      ),
  };
}

const inDom0 = (...pillar: readonly string[]) =>
  renderStates({ file: "qubes-claw/init.sls", id: "dom0", pillar });
const inVm = (role: string, id: string, pillar: string) =>
  renderStates({ file: `qubes-claw/${role}.sls`, id, pillar: [pillar] });

const results = (applied: readonly Applied[]): readonly string[] =>
  applied.map(({ id, result }) => `${id} ${result}`);

function assertAll(applied: readonly Applied[], wanted: "changed" | "same"): void {
  assert(applied.length > 0);
  const other = applied.filter(({ result }) => result !== wanted);
  assertEquals(other, [], JSON.stringify(other));
}

Deno.test("salt: keys, rules and grants; a second run changes nothing; a VM is revoked", async (t) => {
  await using qubes = await install([{ name: "work" }, { name: "lab" }, { name: "old" }]);
  const { world } = qubes;
  const dom0 = dom0Of(world);
  await qubes.authorize("old");
  const units = `${world.dom0Root}/usr/lib/systemd/system`;
  await Deno.mkdir(units, { recursive: true });
  await Deno.copyFile(
    new URL("../../dom0/systemd/qvm-remote-dom0.service", import.meta.url),
    `${units}/qvm-remote-dom0.service`,
  );
  const fingerprints = new Map<string, string>();

  await t.step("a sender gets its key in the VM, once", async () => {
    for (const vm of ["work", "lab"]) {
      const states = await inVm("sender", vm, "qubes-claw: {senders: [work, lab]}");
      // The home of the simulated VM is a folder of its own.
      const minion = { ...vmOf(world, vm), root: world.vmHome(vm).replace("/home/user", "") };
      assertAll(await apply(minion, states), "changed");
      const printed = await qubes.client(vm, ["key", "fingerprint"]);
      fingerprints.set(vm, printed.stdout.trim());
      assertAll(await apply(minion, states), "same");
      assertEquals((await qubes.client(vm, ["key", "fingerprint"])).stdout, printed.stdout);
    }
  });

  const pillar = `qubes-claw:
  dom0:
    packages: [qubes-claw-runtime, qvm-remote-dom0]
    enabled: true
    rules: |
      vm.remove  work  *  deny
  grants:
    work: {fingerprint: ${fingerprints.get("work")}, grant: manage, scope: '@tag:lab'}
    lab:
      fingerprint: ${fingerprints.get("lab")}
      grant: full
      accept: whoever controls lab controls dom0
  revoked: [old]
`;
  await t.step("dom0", async () => {
    const states = await inDom0(pillar);
    const applied = await apply(dom0, states);
    assertEquals(results(applied), [
      "qubes-claw-packages changed",
      "/etc/qubes/remote-policy.d/40-salt.policy changed",
      "qubes-claw-rules same", // they are good
      "qubes-claw-revoked-old changed",
      "qubes-claw-grant-work changed",
      "qubes-claw-grant-lab changed",
      "qvm-remote-dom0 changed",
    ], JSON.stringify(applied, null, 2));
    const keys = (await qubes.dom0(["keys"])).stdout;
    for (const [vm, fingerprint] of fingerprints) {
      assertMatch(keys, new RegExp(`^${vm} +${fingerprint}$`, "m"));
    }
    assertEquals(keys.includes("old"), false);
    const rules = await qubes.dom0(["policy", "list"]);
    assertStringIncludes(rules.stdout, "@tag:lab");
  });

  await t.step("again, also after a person has edited the rules of a grant", async () => {
    const file = `${world.dom0Root}/etc/qubes/remote-policy.d/50-work.policy`;
    await Deno.writeTextFile(file, "vm.start  work  *  deny\n", { append: true });
    assertAll(await apply(dom0, await inDom0(pillar)), "same");
    assertStringIncludes(await Deno.readTextFile(file), "vm.start  work");
  });

  await t.step("another grant in the pillar is another grant in dom0", async () => {
    const less = pillar.replace("grant: manage", "grant: monitor");
    const changed = (await apply(dom0, await inDom0(less)))
      .filter(({ result }) => result !== "same");
    assertEquals(results(changed), ["qubes-claw-grant-work changed"]);
    assertAll(await apply(dom0, await inDom0(less)), "same");
  });

  await t.step("bad rules are said at each run, until they are good", async () => {
    const bad = pillar.replace("vm.remove  work", "vm.remov  work");
    for (const _ of [1, 2]) {
      const [wrong] = (await apply(dom0, await inDom0(bad)))
        .filter(({ result }) => result === "failed");
      assertEquals(wrong?.id, "qubes-claw-rules");
      assertMatch(wrong?.said ?? "", /40-salt\.policy.*vm\.remov/s);
    }
  });
});

Deno.test("salt: a key with another fingerprint, and a VM that there is not, are refused", async () => {
  await using qubes = await install([{ name: "work" }]);
  await qubes.client("work", ["key", "gen"]);
  const wrong = "0123-4567-89ab-cdef-0123-4567-89ab-cdef";
  const pillar = (vm: string): string =>
    `qubes-claw: {grants: {${vm}: {fingerprint: ${wrong}, grant: monitor}}}`;
  const texts: readonly (readonly [vm: string, said: RegExp])[] = [
    ["work", /the key of work has the fingerprint [0-9a-f-]+\n.*--fingerprint says "0123/],
    ["nobody", /nobody/],
  ];
  for (const [vm, text] of texts) {
    const [done] = await apply(dom0Of(qubes.world), await inDom0(pillar(vm)));
    assertEquals(done?.result, "failed");
    assertMatch(done?.said ?? "", text);
  }
  assertEquals((await qubes.dom0(["keys"])).stdout, "No VMs authorized.\n");
});

Deno.test("salt: agent VMs with their key qube, and clients; again, nothing", async () => {
  await using scene = await createScene([{ name: "work" }], { realPolicies: true });
  const pillar = `qubes-claw:
  dom0: {agent: claw}
  agents:
    claw: {provider: openai, template: debian, key-qube: claw-keys, key-netvm: sys-firewall}
    second: {provider: openai, key-qube: claw-keys, key-netvm: sys-firewall}
    online: {provider: openai}
  clients: {work: claw}
`;
  const dom0 = dom0Of(scene.world);
  assertAll(await apply(dom0, await inDom0(pillar)), "changed");
  assertEquals(vmIn(scene, "claw").prefs["netvm"], "");
  assertEquals(vmIn(scene, "claw-keys").tags.includes("openclaw-keys"), true);
  assertEquals(vmIn(scene, "online").tags.includes("openclaw-keyless"), false);
  assertEquals(vmIn(scene, "work").tags.includes("openclaw-client"), true);
  assertStringIncludes(scene.dom0File("etc/qubes/openclaw.conf"), "OPENCLAW_VM=claw\n");
  const before = await scene.snapshot();
  assertAll(await apply(dom0, await inDom0(pillar)), "same");
  assertEquals(await scene.snapshot(), before);
});

Deno.test("salt: in the agent VM, the key qube and a client; again, nothing", async () => {
  const pillar = `qubes-claw:
  agents: {agent: {provider: openai, key-qube: claw-keys}, plain: {provider: multi}}
  clients: {agent: plain}
`;
  for (const [role, id] of [["agent", "agent"], ["key-qube", "claw-keys"], ["agent", "plain"]]) {
    await using vm = await setupVm("StandaloneVM");
    for (const name of ["proxy", "gateway", "watchdog", "tunnels"]) {
      await vm.flag(`openclaw-${name}`);
    }
    const minion = vmOf(vm.qubes.world, "agent");
    const states = await inVm(role ?? "", id ?? "", pillar);
    assertAll(await apply(minion, states), "changed");
    assertAll(await apply(minion, states), "same");
  }
  const root = await Deno.makeTempDir();
  try {
    const states = await inVm("client", "agent", pillar);
    const minion: Minion = { root, packages: new Set(), run: () => Promise.reject("none") };
    assertAll(await apply(minion, states), "changed");
    const home = `${root}/home/user/.config`;
    assertEquals(await Deno.readTextFile(`${home}/openclaw/connect.conf`), "OPENCLAW_VM=plain\n");
    const link = `${home}/systemd/user/default.target.wants/openclaw-connect.service`;
    assertEquals(await Deno.readLink(link), "/usr/lib/systemd/user/openclaw-connect.service");
    assertAll(await apply(minion, states), "same");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

const PRINT = "fingerprint: 0123-4567-89ab-cdef-0123-4567-89ab-cdef";
/** What is wrong, and what Salt says before it does anything. */
const BAD: readonly (readonly [pillar: string, said: string])[] = [
  ["grants: {'bad name': {}}", 'grants:bad name: "bad name" is not the name of a qube'],
  [`grants: {"w;id": {${PRINT}, grant: ask}}`, '"w;id" is not the name of a qube'],
  [`grants: {"w\\n": {${PRINT}, grant: ask}}`, '"w\\n" is not the name of a qube'],
  ["grants: {work: {grant: ask}}", 'grants:work: a fingerprint is wanted, as "qvm-remote key'],
  ["grants: {work: {fingerprint: any, grant: ask}}", "grants:work: a fingerprint is wanted"],
  [`grants: {work: {${PRINT}}}`, "grants:work:grant: null is none of monitor, ask, manage, full"],
  [`grants: {work: {${PRINT}, grant: root}}`, '"root" is none of monitor'],
  [`grants: {work: {${PRINT}, grant: full}}`, 'add "accept: whoever controls work controls dom0"'],
  [`grants: {work: {${PRINT}, grant: full, accept: true}}`, "full lets it run any command in dom0"],
  [`grants: {work: {${PRINT}, grant: ask, scope: lab}}`, '"lab" is no scope: @tag:NAME'],
  [`grants: {work: {${PRINT}, grant: ask, force: true}}`, 'there is no "force"; it takes'],
  [`grants: {work: {${PRINT}, grant: ask}}, revoked: [work]`, "it is among the revoked, too"],
  ["dom0: {enabled: 'no'}", 'dom0:enabled: true or false is wanted, not "no"'],
  ["dom0: {packages: [a b]}", '"a b" is not the name of a package'],
  ["dom0: {packages: {qvm-remote: salt://x/y.rpm}}", "dom0:packages: list is wanted, not"],
  ["dom0: {rules: [deny]}", 'dom0:rules: text is wanted, not ["deny"]'],
  ["grants: [work]", 'grants: mapping is wanted, not ["work"]'],
  ["agents: {a: {provider: openai}, b: {provider: openai}}", "lead? One of a, b"],
  ["dom0: {agent: claw}", "dom0:agent: to which agent VM"],
  [
    "dom0: {agent: a}, agents: {a: {provider: openai, key-qube: x}, b: {provider: openai, key-qube: y}}",
    "agents: all agent VMs share one key qube; here are x, y",
  ],
  ["agents: {claw: openai}", 'agents:claw: mapping is wanted, not "openai"'],
  ["senders: work", 'senders: list is wanted, not "work"'],
  ["templates: {fedora-42: {qvm-remote: /tmp/x.rpm}}", '"/tmp/x.rpm" is not a file: salt://'],
  ["templates: {fedora-42: qvm-remote}", 'templates:fedora-42: list is wanted, not "qvm-remote"'],
  ["senders: [dom0]", '"dom0" is not the name of a qube'],
  ["agents: {claw: {provider: openai, mode: network}}", 'agents:claw: there is no "mode"'],
  ["agents: {claw: {provider: nobody}}", '"nobody" is none of cursor, openai'],
  ["agents: {claw: {provider: openai, key-netvm: sys-net}}", "key-netvm goes with key-qube"],
  ["clients: {work: '$(id)'}", '"$(id)" is not the name of a qube'],
  ["agnets: {}", 'there is no "agnets"; it takes dom0, grants'],
];

Deno.test("salt: a bad pillar ends the run before anything is changed, and says what is wrong", async () => {
  for (const [pillar, said] of BAD) {
    const error = await assertRejects(() => inDom0(`qubes-claw: {${pillar}}`), Error);
    assertStringIncludes(error.message, "TemplateError: pillar qubes-claw:");
    assertStringIncludes(error.message, said);
  }
});

Deno.test("salt: as it comes, it does nothing; its examples are good", async () => {
  assertEquals(await inDom0(...SHIPPED), []);
  const top = { file: "qubes-claw/init.top", id: "dom0" };
  const dom0 = [{ match: "nodegroup" }, "qubes-claw"];
  assertEquals(await render({ ...top, pillar: SHIPPED }), { base: { dom0 } });
  // The comments that are YAML, in place of the empty values above them.
  const examples = SHIPPED.map((text) =>
    text.replace(/: (\[\]|\{\})$/gm, ":").replace(
      /^( +)# ( *(?:- [a-z0-9-]+$|[\w-]+:( |$)).*)$/gm,
      "$1$2",
    )
  );
  const states = await inDom0(...examples);
  const names = states.map(({ id }) => id);
  for (const name of ["packages", "agent-claw", "client-work", "grant-work", "grant-deploy"]) {
    assert(names.includes(`qubes-claw-${name}`), `${name} is not in ${names}`);
  }
  assertEquals(await render({ ...top, pillar: examples }), {
    base: {
      dom0,
      ...{ "fedora-42": ["qubes-claw.template"], "debian-13": ["qubes-claw.template"] },
      work: ["qubes-claw.sender", "qubes-claw.client"],
      ...{ claw: ["qubes-claw.agent"], "claw-keys": ["qubes-claw.key-qube"] },
    },
  });
  const known = new Set(PACKAGES.map(({ name }) => name));
  const named = [...examples.join("").matchAll(/(?:qubes-claw|qvm-remote)-?[a-z0-9]*/g)]
    .map(([name]) => name).filter((name) => name !== "qubes-claw");
  assert(named.length > 6, named.join());
  assertEquals(named.filter((name) => !known.has(name)), []);
});

/**
 * What each function takes, by its documentation: docs.saltproject.io/en/latest/ref/states/all and
 * .../ref/states/requisites.html (salt.states.cmd, file, pkg, service), and the README of
 * qubes-mgmt-salt-dom0-qvm. Of what they take, what the formula uses.
 */
const DOCUMENTED: Readonly<Record<string, readonly string[]>> = {
  "cmd.run": ["name", "runas", "unless", "onlyif", "creates", "require"],
  "file.managed": ["name", "contents", "user", "group", "mode", "makedirs", "require"],
  "file.symlink": ["name", "target", "user", "group", "makedirs"],
  "pkg.installed": ["name", "pkgs", "sources"],
  "qvm.tags": ["name", "add"],
  "service.running": ["name", "enable", "require"],
};

Deno.test("salt: each state is a documented function with documented arguments", async () => {
  const pillar = `qubes-claw:
  dom0: {packages: [qvm-remote-dom0], enabled: true, rules: "shell work - deny"}
  grants: {work: {${PRINT}, grant: ask}}
  revoked: [old]
  templates: {fedora: [qvm-remote], debian: {qvm-remote: 'salt://packages/qvm-remote.deb'}}
  senders: [work]
  agents: {claw: {provider: openai, key-qube: claw-keys}}
  clients: {work: claw}
`;
  const roles = { template: "debian", sender: "work", agent: "claw", "key-qube": "claw-keys" };
  const states = [
    ...await inDom0(pillar),
    ...await inVm("template", "fedora", pillar),
    ...await inVm("client", "work", pillar),
    ...(await Promise.all(Object.entries(roles).map(([role, id]) => inVm(role, id, pillar))))
      .flat(),
  ];
  assertEquals(new Set(states.map(({ does }) => does)), new Set(Object.keys(DOCUMENTED)));
  for (const { id, does, with: given } of states) {
    const unknown = Object.keys(given).filter((name) => !DOCUMENTED[does]?.includes(name));
    assertEquals([id, unknown], [id, []]);
  }
});
