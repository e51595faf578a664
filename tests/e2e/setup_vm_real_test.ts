// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * setup-vm with the real npm, the real OpenClaw and its Node: it installs what its lists say, the
 * gateway becomes ready as its unit starts it, and a package of another hash is not installed.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "./free_port.ts";
import { sourceLauncher } from "./program_flags.ts";
import { setupVm } from "./setup_vm_world.ts";
import { PROJECT } from "./program_flags.ts";
import { writeExecutable } from "../executable.ts";

/** npm's settings and its cache are the ones of who runs this: the VM's home is another. */
function npmEnvironment(): Record<string, string> {
  const home = Deno.env.get("HOME") ?? "";
  const cache = Deno.env.get("QUBES_CLAW_OPENCLAW") ?? `${PROJECT}/.cache/openclaw`;
  const isNpms = /^(npm_config_.*|node_extra_ca_certs|ssl_cert_\w+|https?_proxy|no_proxy)$/i;
  const own = Object.entries(Deno.env.toObject()).filter(([name]) => isNpms.test(name));
  return {
    ...Object.fromEntries(own),
    npm_config_userconfig: Deno.env.get("NPM_CONFIG_USERCONFIG") ?? `${home}/.npmrc`,
    npm_config_cache: `${cache}/npm-cache`,
    npm_config_prefer_offline: "true",
  };
}

async function finish(program: string, args: readonly string[], env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args], env })
    .output();
  const text = new TextDecoder();
  return { code, said: text.decode(stdout) + text.decode(stderr) };
}

Deno.test("an AppVM with the real OpenClaw", async (t) => {
  await using vm = await setupVm("AppVM", { realNpm: npmEnvironment() });
  const port = `${freePort()}`;
  const words = ["openai", "--user-units", "--gateway-port", port];
  const bin = `${vm.home}/.local/lib/qubes-claw/openclaw/bin`;
  const env = { HOME: vm.home, QUBES_CLAW_ROOT: vm.root };

  await t.step("setup, and again", async () => {
    const { code, stdout, stderr } = await vm.setup(...words);
    assertEquals([code, stderr], [0, ""], stdout);
    const version = await finish(`${bin}/openclaw`, ["--version"], env);
    assertStringIncludes(version.said, "OpenClaw 2026.9.6");
    assertEquals((await finish(`${bin}/node`, ["--version"], env)).said.trim(), "v24.21.0");
    assertStringIncludes((await vm.setup(...words)).stdout, "Nothing to change");
  });

  await t.step(
    "the gateway starts as its unit says, becomes ready, and ends with 0 or 143",
    async () => {
      const wait = `${vm.root}/openclaw-wait-ready`;
      const launcher = sourceLauncher("openclaw-wait-ready", "vm/openclaw-wait-ready.ts");
      writeExecutable(wait, launcher);
      const gateway = new Deno.Command(`${PROJECT}/vm/packaging/openclaw-gateway`, {
        ...{ env, stdin: "null", stdout: "null", stderr: "null" },
      }).spawn();
      try {
        const ready = await finish(wait, ["gateway", "--timeout", "120"], env);
        assertEquals(ready.code, 0, ready.said);
        assertEquals(ready.said, `gateway: http://127.0.0.1:${port}/\n`);
      } finally {
        try {
          gateway.kill("SIGTERM");
        } catch {
          // it ended by itself: see its code
        }
      }
      const { code } = await gateway.status;
      assert(code === 0 || code === 143, `it ended with ${code}`);
    },
  );

  await t.step("what OpenClaw says of a broken openclaw.json is said on", async () => {
    const path = `${vm.home}/.openclaw/openclaw.json`;
    const config = JSON.parse(await Deno.readTextFile(path));
    config.gateway.bind = "everywhere";
    await Deno.writeTextFile(path, JSON.stringify(config));
    const { code, stdout } = await vm.setup(...words, "--verify");
    assertEquals(code, 1);
    assertStringIncludes(stdout, "gateway.bind");
  });

  await t.step("undo", async () => {
    const { code, stdout } = await vm.setup("--undo");
    assertEquals(code, 0, stdout);
    assertEquals(await vm.mode(`${bin}/openclaw`), undefined);
    assertEquals(await vm.mode(`${vm.home}/.openclaw/openclaw.json`), "600");
    await Deno.remove(`${vm.home}/.openclaw/openclaw.json`); // the broken one
  });

  await t.step("a package that has not the hash of the list is not installed", async () => {
    const list = `${vm.root}/usr/share/qubes-claw/openclaw/node/package-lock.json`;
    const text = await Deno.readTextFile(list);
    await Deno.writeTextFile(list, text.replaceAll(/sha512-..../g, "sha512-AAAA"));
    // The registry answered before: it is the hash.
    const { code, stderr } = await vm.setup(...words);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "npm left node out");
    assertEquals(await vm.mode(`${vm.home}/.local/lib/qubes-claw/openclaw/openclaw`), undefined);
  });
});
