// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The key qube over a simulated Qubes, from setup-dom0 to an answer in an agent VM that has no
 * network and no key: whom it lets in, on what terms, and that no key is to be found elsewhere.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { findSecret } from "./find_secret.ts";
import {
  createKeyQubeWorld,
  type KeyQubeWorld,
  KEYS,
  readIfAny,
  tunnelOf,
} from "./keyqube_world.ts";
import { until } from "../until.ts";
import { writeExecutable } from "../executable.ts";

const KEY = "sk-proj-7Xk2mQ9vLr4TzB8nWc3D";
const SECRETS = `A_KEY=${KEY}\n`;
const CHAT = "/v1/chat/completions";
const hasSocat = await new Deno.Command("socat", { args: ["-V"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);

function configFor(qubes: KeyQubeWorld, clients: unknown): Record<string, unknown> {
  return {
    providers: {
      a: {
        ...{ kind: "openai", baseUrl: `http://127.0.0.1:${qubes.upstreamPort}/v1` },
        apiKey: { env: "A_KEY" },
      },
    },
    clients,
  };
}

const chat = (text: string, model = "a/m") => ({
  ...{ model, messages: [{ role: "user", content: text }] },
});

/** The next request that comes works: the tunnel finds the key qube again by itself. */
async function asksUntilWell(qubes: KeyQubeWorld, vm: string, text: string): Promise<string> {
  for (let turn = 0;; turn++) {
    const answer = await qubes.ask(vm, CHAT, chat(text));
    if (answer.status === 200) return answer.text;
    if (turn > 240) throw new Error(`${answer.status} ${answer.text}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function good(run: ReturnType<KeyQubeWorld["asRoot"]>): Promise<string> {
  const { code, stdout, stderr } = await run;
  assertEquals(code, 0, stdout + stderr);
  return stdout + stderr;
}

Deno.test("a key qube, from nothing to answers in agent VMs without network", async (t) => {
  await using qubes = await createKeyQubeWorld(["claw", "second", "third"], [
    { name: "work", tags: ["openclaw-client"] },
    { name: "personal" },
  ]);
  const { world } = qubes;
  await qubes.configure(
    configFor(qubes, {
      one: { vm: "claw", limits: { requestsPerMinute: 3 } },
      two: { vm: "second" },
      gone: { vm: "nowhere" },
    }),
    SECRETS,
  );
  await t.step("the ports of the key qube lead to the callers' own sockets", async () => {
    const said = await good(qubes.asRoot(KEYS, ["openclaw-ports", "install", "--per-vm"]));
    assertStringIncludes(said, "one for each VM");
    const status = await good(qubes.asRoot(KEYS, ["openclaw-ports", "status"]));
    assertStringIncludes(status, "openclaw.Mux+32125 (program, per VM, in ");
    assertStringIncludes(status, "qubes.ConnectTCP+32125 (program, per VM, in ");
    assertStringIncludes(status, "the whitelist holds");
    await qubes.startKeyQube(KEY);
  });
  await t.step("units: the tunnel starts in agent VMs without keys, and nowhere else", () => {
    assert(tunnelOf(world, "claw", 32125) !== null);
    for (const vm of [KEYS, "work"]) assertEquals(tunnelOf(world, vm, 32125), null);
  });
  await t.step("an agent VM gets an answer of a provider that it cannot reach", async () => {
    await qubes.startTunnel("claw");
    assertStringIncludes(await asksUntilWell(qubes, "claw", "hello"), "you said hello");
    if (qubes.isIsolated) {
      const links = await good(qubes.asRoot("claw", ["ip", "-o", "link"]));
      assertEquals(links.trim().split("\n").length, 1, links);
      const direct = `http://127.0.0.1:${qubes.upstreamPort}/v1/models`;
      const { code } = await qubes.asRoot("claw", ["curl", "--silent", "--max-time", "2", direct]);
      assertEquals(code, 7, "nobody listens there");
    }
  });
  await t.step("limits are those of each VM: one is over its own, the other is not", async () => {
    const seen: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      seen.push((await qubes.ask("claw", CHAT, chat("x"))).status);
    }
    assertEquals(seen, [200, 200, 429, 429]);
    await qubes.startTunnel("second");
    assertStringIncludes(await asksUntilWell(qubes, "second", "mine"), "you said mine");
    assertEquals((await qubes.ask("second", CHAT, chat("x"))).status, 200);
    const log = (): string => readIfAny(`${world.vmHome(KEYS)}/proxy.log`);
    for (const line of ['"client":"one","vm":"claw"', '"client":"two","vm":"second"']) {
      await until(`${line} is logged`, () => log().includes(line)); // it gathers lines for 20 ms
    }
  });
  await t.step("an agent VM that is no client is refused, and that is in the log", async () => {
    await qubes.startTunnel("third");
    assertEquals((await qubes.ask("third", CHAT, chat("x"))).status, 0);
    await until("the refusal is logged", () => world.vmLog(KEYS).includes("has the VM third"));
  });
  await t.step("a client VM, and any other, is refused by the policy", async () => {
    for (const vm of ["work", "personal"]) {
      for (const target of [KEYS, "@default"]) {
        for (const service of ["openclaw.Mux+32125", "qubes.ConnectTCP+32125"]) {
          const { code } = await qubes.asRoot(vm, ["qrexec-client-vm", target, service]);
          assertEquals(code, 126, `${vm} ${target} ${service}`);
        }
      }
    }
    // Nor by going round, through an agent VM.
    const round = await qubes.asRoot("work", ["qrexec-client-vm", "claw", "openclaw.Mux+32125"]);
    assertEquals(round.code, 126);
    // And an agent VM reaches no other port, and none of another agent VM.
    for (const [target, port] of [[KEYS, "18789"], [KEYS, "22"], ["second", "32125"]]) {
      const words = ["qrexec-client-vm", `${target}`, `qubes.ConnectTCP+${port}`];
      assertEquals((await qubes.asRoot("claw", words)).code, 126, `${words}`);
    }
    const back = ["qrexec-client-vm", "second", "qubes.ConnectTCP+32125"];
    assertEquals((await qubes.asRoot(KEYS, back)).code, 126, "the key qube calls nobody");
  });
  await t.step("the key qube restarts: the next request works", async () => {
    await world.shutdownVm(KEYS);
    assertEquals((await qubes.ask("second", CHAT, chat("x"))).status, 0);
    await world.startVm(KEYS);
    await qubes.startKeyQube(KEY);
    assertStringIncludes(await asksUntilWell(qubes, "second", "again"), "you said again");
  });
});

Deno.test({
  name: "one call for each connection (no persistent mode) is told apart by VM all the same",
  ignore: !hasSocat,
  fn: async () => {
    await using qubes = await createKeyQubeWorld(["claw", "second"]);
    const { world } = qubes;
    await qubes.configure(configFor(qubes, { one: { vm: "claw" } }), SECRETS);
    await good(qubes.asRoot(KEYS, ["openclaw-ports", "install", "--per-vm"]));
    await Deno.remove(`${world.vmRoot(KEYS)}/usr/lib/qubes-claw/openclaw.MuxPerVm`);
    await qubes.startKeyQube(KEY);
    await qubes.startTunnel("claw");
    assertStringIncludes(await asksUntilWell(qubes, "claw", "hello"), "you said hello");
    await qubes.startTunnel("second");
    assertEquals((await qubes.ask("second", CHAT, chat("x"))).status, 0);
    const refusal = "refused: qubes.ConnectTCP+32125 from second, which is no client";
    await until("the refusal is logged", () => world.vmLog(KEYS).includes(refusal));
  },
});

Deno.test({
  name: "no key is to be found in the agent VM: files, processes, memory, what passes the tunnel",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await using qubes = await createKeyQubeWorld(["claw"]);
    const { world } = qubes;
    await qubes.configure(configFor(qubes, { one: { vm: "claw" } }), SECRETS);
    await good(qubes.asRoot(KEYS, ["openclaw-ports", "install", "--per-vm"]));
    await qubes.startKeyQube(KEY);
    // All that passes over qrexec is kept in files of the agent VM, where the search finds it.
    const tapped = `${world.vmRoot("claw")}/tapped`;
    await Deno.mkdir(tapped);
    const tap = `#!/bin/sh
tee -a ${tapped}/up.$$ | ${world.vmBin}/qrexec-client-vm "$@" | tee -a ${tapped}/down.$$
`;
    writeExecutable(`${tapped}/qrexec-client-vm`, tap);
    await qubes.startTunnel("claw", tapped);
    const answers = [await asksUntilWell(qubes, "claw", "is there a key?")];
    // A provider that quotes the key in its error, other paths, and what is none.
    for (const body of [chat("x", "a/refused"), chat("x", "b/m"), "x", { model: 1 }]) {
      answers.push((await qubes.ask("claw", CHAT, body)).text);
    }
    for (const path of ["/health", "/readyz", "/metrics", "/v1/models", "/v1/models/a", "/x"]) {
      answers.push((await qubes.ask("claw", path)).text);
    }
    await Deno.writeTextFile(`${world.vmRoot("claw")}/answers`, answers.join("\n"));
    assert(answers.every((text) => !text.includes(KEY)), answers.join("\n"));

    const inAgent = findSecret(world, "claw", KEY);
    assertEquals(inAgent.found, []);
    assert(inAgent.files > 20 && inAgent.processes >= 3, JSON.stringify(inAgent));
    assert(inAgent.memoryBytes > 10_000_000, `${inAgent.memoryBytes} bytes of memory`);
    // The same search finds what passed, so the taps are in it ...
    const passed = findSecret(world, "claw", "is there a key?").found;
    assert(passed.some((place) => place.includes("/tapped/up.")), `${passed}`);
    assert(passed.some((place) => place.includes("/tapped/down.")), `${passed}`);
    // ... and it finds the key where the key is.
    const inKeys = findSecret(world, KEYS, KEY).found;
    assert(inKeys.some((place) => place.endsWith("/.openclaw/proxy.env")), `${inKeys}`);
    assert(inKeys.some((place) => place.startsWith("memory ")), `${inKeys}`);
    assert(!inKeys.some((place) => place.startsWith("cmdline ")), `${inKeys}`);
    assert(!inKeys.some((place) => place.endsWith("proxy.log")), "the key is in the log");
  },
});
