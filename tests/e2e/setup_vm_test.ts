// SPDX-License-Identifier: GPL-2.0-or-later
/** setup-vm in simulated VMs: what it makes of each kind, twice, cut off, refused, and taken back. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { setupVm } from "./setup_vm_world.ts";

const good = ({ code, stderr }: { code: number; stderr: string }): void =>
  assertEquals([code, stderr], [0, ""]);

Deno.test("a StandaloneVM becomes an agent VM, twice is once, and undo leaves keys and history", async (t) => {
  await using vm = await setupVm("StandaloneVM");
  for (const name of ["proxy", "gateway", "watchdog"]) await vm.flag(`openclaw-${name}`);
  const state = `${vm.home}/.openclaw`;
  const lib = `${vm.root}/usr/lib/qubes-claw/openclaw`;

  await t.step("--dry-run says all of it and does nothing", async () => {
    const dry = await vm.setup("multi", "--dry-run");
    good(dry);
    for (
      const word of ["npm ci --prefix", "--ignore-scripts", "openclaw-ports install 18789 32125"]
    ) {
      assertStringIncludes(dry.stdout, word);
    }
    assertEquals(await vm.text(`${state}/openclaw.json`), undefined);
    assert(!(await vm.asked()).some((line) => /npm ci|mkdir|systemctl enable/.test(line)));
  });

  await t.step("setup", async () => {
    const done = await vm.setup("multi");
    good(done);
    assertStringIncludes(done.stdout, "are as wanted");
    assertStringIncludes(done.stdout, "ANTHROPIC_API_KEY=KEY");
    assertEquals(await vm.mode(state), "700");
    for (const name of ["openclaw.json", "gateway-token", "proxy.json", "proxy.env"]) {
      assertEquals([name, await vm.mode(`${state}/${name}`)], [name, "600"]);
    }
    const token = await vm.text(`${state}/gateway-token`) ?? "";
    assert(/^[0-9a-f]{64}\n$/.test(token));
    const openclaw = JSON.parse(await vm.text(`${state}/openclaw.json`) ?? "");
    assert(/^[0-9a-f]{64}$/.test(openclaw.hooks.token) && openclaw.hooks.token !== token.trim());
    assertEquals(openclaw.gateway.port, 18789);
    assertEquals(JSON.parse(await vm.text(`${vm.home}/.config/openclaw/vm.json`) ?? ""), {
      ...{ role: "agent", provider: "multi", keyQube: false, units: "system" },
      ...{ proxyPort: 32125, gatewayPort: 18789 },
    });
    assert(!done.stdout.includes(token.trim()), "no token on the terminal");
    assert(
      !(await vm.text(`${vm.home}/.local/state/qubes-claw/setup-vm.json`))?.includes(token.trim()),
    );
    const asked = await vm.asked();
    const wanted = `npm ci --prefix /usr/lib/qubes-claw/openclaw/openclaw --ignore-scripts`;
    assert(asked.some((line) => line.startsWith(`sudo -n ${wanted}`)), asked.join("\n"));
    assert(asked.some((line) => line.includes("npm ci") && line.includes("--userconfig=~/.npmrc")));
    for (const unit of ["proxy", "gateway", "watchdog"]) {
      assert(asked.includes(`sudo -n systemctl enable qubes-openclaw-${unit}.service`));
      assert(asked.includes(`sudo -n systemctl start qubes-openclaw-${unit}.service`));
    }
  });

  await t.step("again: nothing to do, and nothing is fetched", async () => {
    const before = await vm.text(`${state}/openclaw.json`);
    const again = await vm.setup("multi");
    good(again);
    assertStringIncludes(again.stdout, "Nothing to change");
    assertEquals(await vm.text(`${state}/openclaw.json`), before);
    const asked = await vm.asked();
    assertEquals(asked.filter((line) => /^npm |sudo -n (?!true)/.test(line)), []);
    good(await vm.setup("multi", "--verify"));
  });

  await t.step("--verify asks for a key until there is one", async () => {
    const next = async (env: string): Promise<string> => {
      await Deno.writeTextFile(`${state}/proxy.env`, env);
      return JSON.stringify(
        JSON.parse((await vm.setup("multi", "--verify", "--json")).stdout).next,
      );
    };
    const asks = "write your key into ~/.openclaw/proxy.env";
    assertStringIncludes(await next("#ANTHROPIC_API_KEY=\nOPENAI_API_KEY=\n"), asks);
    const left = await next("OPENAI_API_KEY=sk-mine\n");
    assert(!left.includes(asks) && left.includes("openclaw-ctl status"), left);
  });

  await t.step("--undo takes back all but what is the user's", async () => {
    await Deno.writeTextFile(`${state}/proxy.env`, "OPENAI_API_KEY=mine\n");
    const undone = await vm.setup("--undo");
    good(undone);
    assertStringIncludes(undone.stdout, "KEPT");
    assertEquals(await vm.text(`${state}/proxy.env`), "OPENAI_API_KEY=mine\n");
    assertEquals(await vm.text(`${vm.home}/.config/openclaw/vm.json`), undefined);
    assertEquals(await vm.mode(`${lib}/openclaw`), undefined);
    assertEquals(await vm.mode(`${lib}/bin/openclaw`), undefined);
    const asked = await vm.asked();
    assert(asked.includes("sudo -n openclaw-ports remove"));
    assert(asked.includes("sudo -n systemctl disable qubes-openclaw-gateway.service"));
  });

  await t.step("--undo --remove-data asks, and removes the rest", async () => {
    const no = await vm.answer("no", "--undo", "--remove-data");
    assertEquals(no.code, 1);
    assertStringIncludes(no.stderr, "nothing was changed");
    assert(await vm.text(`${state}/proxy.env`) !== undefined);
    const yes = await vm.answer("yes", "--undo", "--remove-data");
    assertEquals(yes.code, 0, yes.stderr);
    assertEquals(await vm.mode(state), undefined);
    assertEquals(await vm.mode(`${vm.home}/.local/state/qubes-claw`), undefined);
    assertStringIncludes((await vm.setup("--undo")).stdout, "Nothing to take back");
  });
});

Deno.test("an AppVM has all in its home, and its services still start after a restart", async () => {
  await using vm = await setupVm("AppVM");
  const done = await vm.setup("anthropic", "--user-units");
  good(done);
  const asked = await vm.asked();
  assert(
    asked.some((line) => line.startsWith("npm ci --prefix ~/.local/lib/qubes-claw/openclaw/")),
  );
  assert(!asked.some((line) => line.startsWith("sudo -n npm")), "not as root");
  assert(asked.includes("systemctl --user enable openclaw-gateway.service"));
  assert(asked.includes("sudo -n loginctl enable-linger user"));
  await vm.restart();
  await vm.memory(4096);
  assertEquals(await vm.text(`${vm.root}/var/lib/systemd/linger/user`), "");
  const again = await vm.setup("anthropic", "--user-units");
  good(again);
  assertStringIncludes(again.stdout, "Nothing to change");
  good(await vm.setup("--undo"));
  await vm.restart();
  assertEquals(await vm.text(`${vm.root}/var/lib/systemd/linger/user`), undefined);
});

Deno.test("a template gets OpenClaw and units, no home; its VM uses the one of the template", async () => {
  await using vm = await setupVm("TemplateVM");
  const done = await vm.setup("openai");
  good(done);
  assertEquals(await vm.mode(`${vm.home}/.openclaw`), undefined);
  assertStringIncludes(done.stdout, "qvm-service VM openclaw-gateway on");
  assert((await vm.text(`${vm.root}/usr/lib/qubes-claw/openclaw/bin/openclaw`)) !== undefined);

  await using app = await setupVm("AppVM");
  const { world } = app.qubes;
  await world.shutdownVm("agent");
  const lib = "usr/lib/qubes-claw/openclaw";
  const copied = await new Deno.Command("cp", {
    args: ["-r", "--", `${vm.root}/${lib}`, `${world.vmRoot("base")}/usr/lib/qubes-claw/`],
  }).output();
  assert(copied.success);
  await world.startVm("agent");
  await app.trouble("no-network"); // nothing has to be fetched
  const used = await app.setup("openai");
  good(used);
  assert(!(await app.asked()).some((line) => line.startsWith("npm")), "npm was not even asked");
  assertStringIncludes(used.stdout, "in the template: sudo systemctl enable qubes-openclaw-proxy");
});

Deno.test("a compatible server: the proxy takes what is written for it, and the first thing left is said", async () => {
  await using vm = await setupVm("AppVM");
  const words = ["compatible", "http://127.0.0.1:8000/v1", "--user-units"];
  good(await vm.setup(...words));
  const verified = await vm.setup(...words, "--verify");
  good(verified);
  assert(verified.stdout.startsWith('Next: name a model in place of "default"'), verified.stdout);
  assertStringIncludes(verified.stdout, "proxy.json is good");
});

Deno.test("the two halves of a key qube: no proxy and no key here, no OpenClaw there", async () => {
  await using agent = await setupVm("StandaloneVM");
  for (const name of ["tunnels", "gateway", "watchdog"]) await agent.flag(`openclaw-${name}`);
  good(await agent.setup("multi", "--key-qube"));
  assertEquals(await agent.mode(`${agent.home}/.openclaw/proxy.env`), undefined);
  assertEquals(await agent.mode(`${agent.home}/.openclaw/proxy.json`), undefined);
  const settings = JSON.parse(await agent.text(`${agent.home}/.config/openclaw/vm.json`) ?? "");
  assertEquals([settings.role, settings.keyQube], ["agent", true]);
  const asked = await agent.asked();
  assert(asked.includes("sudo -n systemctl start qubes-openclaw-tunnel.service"));
  assert(!asked.some((line) => line.includes("qubes-openclaw-proxy")));
  assert(asked.includes("sudo -n openclaw-ports install 18789"));

  await using keys = await setupVm("StandaloneVM");
  await keys.memory(400); // it runs no agent
  await keys.trouble("no-network");
  good(await keys.setup("multi", "--keys", "--agent-vm", "claw", "--agent-vm=claw2"));
  assert((await keys.asked()).includes("sudo -n openclaw-ports install --per-vm 32125"));
  const { clients } = JSON.parse(await keys.text(`${keys.home}/.openclaw/proxy.json`) ?? "");
  assertEquals(clients, { claw: { vm: "claw" }, claw2: { vm: "claw2" } });
  const again = await keys.setup("multi", "--keys");
  assertStringIncludes(again.stdout, "Nothing to change");
  assertStringIncludes(again.stdout, "name each agent VM");
  assertEquals(await keys.mode(`${keys.home}/.openclaw/openclaw.json`), undefined);
  assertEquals(await keys.mode(`${keys.home}/.openclaw/proxy.env`), "600");
  assert(!(await keys.asked()).some((line) => /^npm|gateway/.test(line)));
});

Deno.test("what stands in the way is said with the next step, and nothing is changed", async (t) => {
  await using vm = await setupVm("StandaloneVM");
  const refused = async (...said: readonly string[]): Promise<void> => {
    const { code, stderr } = await vm.setup("cursor");
    assertEquals(code, 1, stderr);
    for (const text of said) assertStringIncludes(stderr, text);
    assertStringIncludes(stderr, "nothing was changed");
    assertEquals(await vm.mode(`${vm.home}/.openclaw`), undefined);
  };
  await t.step("too little memory, unless balancing may give more", async () => {
    await vm.memory(2000);
    await refused("2000 MiB", "qvm-prefs VM maxmem 4000");
    good(await vm.setup("cursor", "--anyway", "--dry-run"));
    await vm.memory(2000, 6000);
    good(await vm.setup("cursor", "--dry-run"));
  });
  await t.step("no network", async () => {
    await vm.trouble("no-network");
    await refused("this VM has no netvm", "qvm-prefs VM netvm");
    await vm.trouble("no-network", false);
  });
  await t.step("no npm", async () => {
    await vm.trouble("no-npm");
    await Deno.mkdir(`${vm.root}/etc`, { recursive: true });
    await Deno.writeTextFile(`${vm.root}/etc/os-release`, 'ID="fedora"\n');
    await refused("there is no npm here", "sudo dnf install nodejs-npm");
    await Deno.writeTextFile(`${vm.root}/etc/os-release`, "ID=kicksecure\nID_LIKE=debian\n");
    await refused("sudo apt install --no-install-recommends npm");
    await vm.trouble("no-npm", false);
  });
  await t.step("words that do not fit", async () => {
    for (
      const words of [["opnai"], [], ["multi", "--keys", "--key-qube"], ["--undo", "multi"], [
        ...["multi", "--agent-vm", "claw"],
      ], ["multi", "--keys", "--agent-vm", "dom0;x"]]
    ) {
      assertEquals((await vm.setup(...words)).code, 2, words.join(" "));
    }
    assertEquals((await vm.setup("multi", "--proxy-port", "18789")).code, 2);
  });
});

Deno.test("a run that was cut off is gone on with, or taken back", async () => {
  await using vm = await setupVm("StandaloneVM");
  const lib = `${vm.root}/usr/lib/qubes-claw/openclaw`;
  await vm.trouble("npm-cut");
  const cut = await vm.setup("ollama");
  assertEquals(cut.code, 1);
  assertStringIncludes(cut.stderr, "npm error network");
  assertStringIncludes(cut.stderr, "run the same again to go on");
  assertEquals(await vm.mode(`${lib}/node`), "755", "half of it is there");
  good(await vm.setup("--undo"));
  assertEquals(await vm.mode(`${lib}/node`), undefined, "half of it is gone again");

  assertEquals((await vm.setup("ollama")).code, 1);
  await vm.trouble("npm-cut", false);
  await vm.trouble("npm-leaves-out");
  const incomplete = await vm.setup("ollama");
  assertEquals(incomplete.code, 1, "npm said all was well, and the Node is not there");
  assertStringIncludes(incomplete.stderr, "npm left node out");
  await vm.trouble("npm-leaves-out", false);
  good(await vm.setup("ollama"));
  good(await vm.setup("ollama", "--verify"));
});

Deno.test("a system's Node that is new enough is used, and no other installed", async () => {
  await using vm = await setupVm("StandaloneVM");
  await vm.trouble("good-node");
  const { stdout } = await vm.setup("openai", "--dry-run");
  assert(!stdout.includes("openclaw/node"), stdout);
});

Deno.test("an openclaw.json of the user's stays; a broken one is named, and nothing is started", async () => {
  await using vm = await setupVm("StandaloneVM");
  await vm.flag("openclaw-gateway");
  const path = `${vm.home}/.openclaw/openclaw.json`;
  await Deno.mkdir(`${vm.home}/.openclaw`, { mode: 0o755 });
  await Deno.writeTextFile(path, '{"gateway": {"bind": "lan"}}');
  const { code, stdout } = await vm.setup("openai");
  assertEquals(code, 1);
  assertStringIncludes(stdout, "gateway Invalid option");
  assertEquals(await vm.text(path), '{"gateway": {"bind": "lan"}}');
  assertEquals(await vm.mode(`${vm.home}/.openclaw`), "700");
  assert(!(await vm.asked()).some((line) => line.includes("systemctl start")));
  await Deno.writeTextFile(path, '{"gateway": {"bind": "loopback"}}');
  good(await vm.setup("openai"));
  good(await vm.answer("yes", "--undo", "--remove-data").then((end) => ({ ...end, stderr: "" })));
  assertEquals(await vm.text(path), '{"gateway": {"bind": "loopback"}}', "it was there before");
  assertEquals(await vm.mode(`${vm.home}/.openclaw`), "755");
});

Deno.test("another choice takes back what it does not want any more", async () => {
  await using vm = await setupVm("StandaloneVM");
  good(await vm.setup("openai", "--user-units"));
  await vm.asked();
  good(await vm.setup("openai"));
  const asked = await vm.asked();
  assert(asked.includes("systemctl --user disable openclaw-proxy.service"));
  assert(asked.includes("sudo -n loginctl disable-linger user"));
  assert(asked.includes("sudo -n systemctl enable qubes-openclaw-proxy.service"));
  assertEquals(await vm.mode(`${vm.home}/.local/lib/qubes-claw/openclaw/openclaw`), undefined);
});

Deno.test("where sudo wants a password, root's part is said and the rest is done", async () => {
  await using vm = await setupVm("StandaloneVM");
  await vm.trouble("no-sudo");
  const { code, stdout } = await vm.setup("openai", "--user-units");
  assertEquals(code, 1);
  assertStringIncludes(stdout, "root has to do this:\nopenclaw-ports install 18789 32125\n");
  assertEquals(await vm.mode(`${vm.home}/.openclaw/proxy.env`), "600");
});

Deno.test("--json prints facts for machines, and no secret", async () => {
  await using vm = await setupVm("StandaloneVM");
  const planned = JSON.parse((await vm.setup("multi", "--dry-run", "--json")).stdout);
  assert(planned.steps.length > 8);
  const done = await vm.setup("multi", "--json");
  const result = JSON.parse(done.stdout);
  assert(result.verification.every(({ isSo }: { isSo: boolean }) => isSo), done.stdout);
  const token = (await vm.text(`${vm.home}/.openclaw/gateway-token`) ?? "none").trim();
  assert(!done.stdout.includes(token));
  const undone = JSON.parse((await vm.setup("--undo", "--json")).stdout);
  assert(undone.undo.some(({ result }: { result: string }) => result === "done"));
});

Deno.test("a home that cannot be written, and a file where a folder belongs, are no bug of ours", async () => {
  await using vm = await setupVm("StandaloneVM");
  await Deno.writeTextFile(`${vm.home}/.openclaw`, "a file");
  const file = await vm.setup("openai");
  assertEquals(file.code, 1);
  assertStringIncludes(file.stderr, ".openclaw is not a folder");
  await Deno.remove(`${vm.home}/.openclaw`);
  // As a disk that the kernel made read-only: nobody, not even root, writes below a file.
  await Deno.remove(`${vm.home}/.local`, { recursive: true });
  await Deno.writeTextFile(`${vm.home}/.local`, "");
  const closed = await vm.setup("openai");
  assertEquals(closed.code, 1, closed.stderr);
  assert(!closed.stderr.includes("bug"), closed.stderr);
  assert(!(await vm.asked()).some((line) => line.startsWith("npm ci")));
});
