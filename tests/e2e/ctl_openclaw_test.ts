// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * openclaw-ctl with the real OpenClaw, if it is installed in .cache/openclaw or where
 * QUBES_CLAW_OPENCLAW says: its gateway, its handshake, its devices, its verdict.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../until.ts";
import { type Scene, scene } from "./ctl_scene.ts";
import { GATEWAY_TOKEN, HOOKS_TOKEN, runToEnd } from "./ctl_world.ts";
import { freePort } from "./free_port.ts";
import { PROJECT } from "./program_flags.ts";

const FOLDER = Deno.env.get("QUBES_CLAW_OPENCLAW") ?? `${PROJECT}/.cache/openclaw`;
const MODULES = `${FOLDER}/node_modules`;
const IS_THERE = await Deno.stat(`${MODULES}/openclaw/openclaw.mjs`).then(() => true, () => false);
/** Some 10 s where nothing else runs. */
const START_MS = 180_000;

Deno.test("the real gateway: health, webhook, dashboard, pairing, cron, doctor", {
  ignore: !IS_THERE,
}, async () => {
  await using here = await scene();
  const { world } = here;
  const port = freePort();
  await install(here, port);
  await using _gateway = await startGateway(here, port);

  const health = await here.run("health");
  assertEquals(health.code, 0, health.stdout);
  assertStringIncludes(health.stdout, "good    gateway handshake: the gateway takes the token");
  assertStringIncludes((await here.run("status")).stdout, "gateway  ok, version 20");
  const hook = await here.run("webhook-test");
  assertEquals(hook.code, 0, hook.stdout);
  const address = await here.run("dashboard");
  assertEquals(address.code, 0, address.stderr);
  assert(address.stdout.startsWith(`http://127.0.0.1:${port}/#bootstrapToken=`), "an address");
  assertEquals(((await here.json("cron", "list"))["output"] as { total: number }).total > 0, true);

  assertStringIncludes((await here.run("pair")).stdout, "nobody waits; 0 paired");
  const text = await knock(port);
  assertEquals((await here.json("pair", text))["error"], "pairing-required");
  const [pending] = (await here.json("pair"))["pending"] as { request: string; client: string }[];
  assertEquals(pending?.client, "openclaw-tui");
  assertEquals((await here.run("approve", pending?.request ?? "")).code, 0);
  assertStringIncludes((await here.run("pair")).stdout, "nobody waits; 1 paired");
  assertEquals((await here.run("approve", pending?.request ?? "")).code, 1, "twice");

  const doctor = await here.run("doctor");
  assertEquals([doctor.code, doctor.stdout], [0, "nothing was found\n"]);
  const watchdog = await world.launcher("openclaw-watchdog");
  const once = await runToEnd(watchdog, ["--once"], world.env);
  assertEquals([once.code, once.stdout], [0, "proxy ok\ngateway ok\n"]);

  await world.write(`${world.home}/.openclaw/gateway-token`, "another-0123456789\n");
  assertEquals((await here.json("pair"))["error"], "token-mismatch");
  await world.write(
    `${world.home}/.openclaw/openclaw.json`,
    JSON.stringify({ ...configuration(world.home, port), telemetri: 1 }),
  );
  const bad = await here.run("doctor");
  assertEquals(bad.code, 1);
  assertStringIncludes(bad.stdout, "config-rejected: OpenClaw rejects");
  assertStringIncludes(bad.stdout, 'Unrecognized key: "telemetri"');
});

/** OpenClaw and its Node, where setup-vm puts them, and a configuration. */
async function install({ world, proxy }: Scene, gatewayPort: number): Promise<void> {
  const bin = `${world.home}/.local/lib/qubes-claw/openclaw/bin`;
  const node = `exec "${MODULES}/node/bin/node"`;
  await world.executable(`${bin}/node`, `#!/bin/sh\n${node} "$@"\n`);
  await world.executable(
    `${bin}/openclaw`,
    `#!/bin/sh\n${node} "${MODULES}/openclaw/openclaw.mjs" "$@"\n`,
  );
  const proxyPort = Number(new URL(proxy.url).port);
  await world.settings({ role: "agent", provider: "multi", proxyPort, gatewayPort });
  await world.write(
    `${world.home}/.openclaw/openclaw.json`,
    JSON.stringify(configuration(world.home, gatewayPort)),
  );
}

function configuration(home: string, port: number): Record<string, unknown> {
  return {
    gateway: {
      ...{ mode: "local", port, bind: "loopback", terminal: { enabled: false } },
      auth: { mode: "token", token: { source: "file", provider: "token", id: "value" } },
      nodes: { pairing: { autoApproveLocal: false, sshVerify: false } },
    },
    secrets: {
      providers: {
        token: { source: "file", path: `${home}/.openclaw/gateway-token`, mode: "singleValue" },
      },
    },
    update: { checkOnStart: false, auto: { enabled: false } },
    ...{ telemetry: { enabled: false }, discovery: { mdns: { mode: "off" } } },
    logging: { level: "info", file: `${home}/.openclaw/logs/gateway.log` },
    hooks: {
      ...{ enabled: true, token: HOOKS_TOKEN, path: "/hooks", allowRequestSessionKey: false },
      ...{ defaultSessionKey: "hook:ingress", allowedAgentIds: ["main"] },
    },
    models: { mode: "replace", catalogRefresh: { enabled: false } },
    agents: { defaults: { heartbeat: { every: "30m" }, skipBootstrap: true } },
  };
}

async function startGateway({ world }: Scene, port: number): Promise<AsyncDisposable> {
  const openclaw = `${world.home}/.local/lib/qubes-claw/openclaw/bin/openclaw`;
  const child = new Deno.Command(openclaw, {
    args: ["gateway", "run", "--port", String(port), "--bind", "loopback"],
    ...{ env: { ...world.env }, clearEnv: true, cwd: world.home },
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await child.status;
  };
  const isReady = async (): Promise<boolean> => {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
      await answer.body?.cancel();
      return answer.status === 200;
    } catch {
      return false;
    }
  };
  try {
    await until("the gateway is ready", isReady, START_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return { [Symbol.asyncDispose]: stop };
}

/** A device that the gateway has never seen. @returns what it says to that */
async function knock(port: number): Promise<string> {
  const keys = await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"]);
  const { publicKey, privateKey } = keys as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  const id = new Uint8Array(await crypto.subtle.digest("SHA-256", raw)).toHex();
  const base64 = (bytes: Uint8Array): string =>
    bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  const answer = Promise.withResolvers<string>();
  const closed = new Promise((resolve) => socket.onclose = resolve);
  const [role, scopes] = ["operator", ["operator.read"]];
  const client = { id: "openclaw-tui", version: "1", platform: "linux", mode: "ui" };
  socket.onmessage = async ({ data }) => {
    const { type, error, payload } = JSON.parse(data);
    if (type === "res") return answer.resolve(error?.message ?? "let in");
    const { nonce, ts } = payload;
    const signed = [
      ...["v2", id, client.id, client.mode, role, scopes.join(","), ts, GATEWAY_TOKEN, nonce],
    ].join("|");
    const bytes = new TextEncoder().encode(signed);
    const signature = base64(
      new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, bytes)),
    );
    const device = { id, publicKey: base64(raw), signature, signedAt: ts, nonce };
    const params = { minProtocol: 4, maxProtocol: 4, client, role, scopes, caps: [], device };
    const auth = { token: GATEWAY_TOKEN };
    socket.send(
      JSON.stringify({ type: "req", id: "1", method: "connect", params: { ...params, auth } }),
    );
  };
  const text = await answer.promise;
  socket.close();
  await closed;
  return text;
}
