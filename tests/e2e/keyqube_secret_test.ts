// SPDX-License-Identifier: GPL-2.0-or-later
/** A provider's key in a vault: the proxy of the key qube gets it by qrexec, if dom0's policy lets it. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { findSecret } from "./find_secret.ts";
import { createKeyQubeWorld, type KeyQubeWorld, KEYS, readIfAny } from "./keyqube_world.ts";

const KEY = "sk-vault-4Hd8sPq2Lx9WmZ6rT1";
const CHAT = "/v1/chat/completions";

function provider(qubes: KeyQubeWorld, secret: string): unknown {
  return {
    ...{ kind: "openai", baseUrl: `http://127.0.0.1:${qubes.upstreamPort}/v1` },
    apiKey: { qrexec: `openclaw.Secret+${secret}`, target: "vault" },
  };
}

async function asks(qubes: KeyQubeWorld, model: string): Promise<string> {
  const messages = [{ role: "user", content: "hello" }];
  const { status, text } = await qubes.ask("claw", CHAT, { model, messages });
  return `${status} ${text.split("\n").at(-1)}`;
}

Deno.test("a key in a vault: refused by the policy, then allowed, and never written down", async (t) => {
  await using qubes = await createKeyQubeWorld(["claw"], [{ name: "vault" }]);
  const { world } = qubes;
  const isRoot = Deno.uid() === 0;
  const policy = (lines: string): Promise<void> =>
    Deno.writeTextFile(`${world.dom0Root}/etc/qubes/policy.d/30-user.policy`, lines);
  // As the README says: one file for each secret, so that there are no others.
  const secrets = `${world.vmHome("vault")}/secrets`;
  await Deno.mkdir(secrets, { mode: 0o700 });
  await Deno.writeTextFile(`${secrets}/openai`, `${KEY}\n`, { mode: 0o600 });
  world.installService(
    "vault",
    "openclaw.Secret+openai",
    '#!/bin/sh\nexec cat "$HOME/secrets/openai"\n',
  );
  world.installService("vault", "openclaw.Secret+talkative", "#!/bin/sh\nseq 100000\n");
  const providers = Object.fromEntries(
    ["openai", "other", "talkative"].map((name) => [name, provider(qubes, name)]),
  );
  await qubes.configure({ providers, clients: { one: { vm: "claw" } } }, "");
  assertEquals((await qubes.asRoot(KEYS, ["openclaw-ports", "install", "--per-vm"])).code, 0);
  await qubes.startKeyQube(KEY);
  await qubes.startTunnel("claw");

  await t.step("without a line in the policy there is no key, and no model", async () => {
    const said = await asks(qubes, "openai/m");
    assert(said.startsWith("404 "), said);
    assertStringIncludes(said, "model_not_found");
    if (isRoot) assertEquals(findSecret(world, KEYS, KEY).found, []);
  });
  await t.step(
    "with one, the next request works, and a second asks the vault no more",
    async () => {
      await policy(`openclaw.Secret * ${KEYS} vault allow autostart=no\n`);
      const said = await asks(qubes, "openai/m");
      assert(said.startsWith("200 "), said);
      await policy("openclaw.Secret * @anyvm @anyvm deny\n");
      assertStringIncludes(await asks(qubes, "openai/m"), "you said hello");
    },
  );
  await t.step("a secret that is not there, or is none, is no key", async () => {
    await policy(`openclaw.Secret * ${KEYS} vault allow autostart=no\n`);
    for (const name of ["other", "talkative"]) {
      const said = await asks(qubes, `${name}/m`);
      assert(said.startsWith("404 "), `${name}: ${said}`);
    }
  });
  await t.step("an agent VM gets nothing of the vault", async () => {
    for (const target of ["vault", "@default", KEYS]) {
      const words = ["qrexec-client-vm", target, "openclaw.Secret+openai"];
      const { code, stdout } = await qubes.asRoot("claw", words);
      assertEquals([code, stdout], [126, ""]);
    }
  });
  await t.step({
    name: "the key is in no file of the key qube, and nowhere in the agent VM",
    ignore: !isRoot,
    fn() {
      assertEquals(findSecret(world, "claw", KEY).found, []);
      const places = findSecret(world, KEYS, KEY).found;
      assertEquals(places.filter((place) => /^(file|cmdline) /.test(place)), []);
      assert(places.some((place) => place.startsWith("memory ")), "the search finds what is there");
      const log = readIfAny(`${world.vmHome(KEYS)}/proxy.log`);
      assertStringIncludes(log, '"target":"openai/m"');
    },
  });
});
