// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-ctl, the real program, with the real proxy and doubles of the rest. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../until.ts";
import { KEY, scene } from "./ctl_scene.ts";
import { createCtlWorld, runToEnd } from "./ctl_world.ts";
import { freePort } from "./free_port.ts";
import { fails } from "./proxy_upstream.ts";

Deno.test("status of a well agent VM, for people and as JSON", async () => {
  await using here = await scene();
  const { code, stdout, stderr } = await here.run("status");
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "role     agent (multi; user units)");
  assertStringIncludes(stdout, "proxy    ok, version 2.0.0");
  assertStringIncludes(stdout, "gateway  ok, version 2026.9.6");
  assert(/openclaw-gateway\.service +active \(running\) +enabled +0 restarts +52 MB/.test(stdout));
  const value = await here.json("status");
  assertEquals(Object.keys(value).toSorted(), [
    ...["command", "flags", "gateway", "ok", "proxy", "schema", "tunnels", "units", "unitsError"],
    "vm",
  ]);
  const proxy = value["proxy"] as Record<string, unknown>;
  assertEquals([proxy["state"], proxy["models"], proxy["activeRequests"]], ["ok", 2, 0]);
  assertEquals((value["units"] as { unit: string }[]).map(({ unit }) => unit), [
    ...["openclaw-proxy.service", "openclaw-gateway.service", "openclaw-watchdog.service"],
  ]);
});

Deno.test("status says which provider has no key, and which one refuses it", async () => {
  await using here = await scene();
  const environment = `${here.proxy.home}/.openclaw/proxy.env`;
  const says = async (words: string): Promise<boolean> => {
    await (await here.proxy.chat({ model: "a/m" })).body?.cancel();
    return (await here.run("status")).stdout.includes(`a (openai): ${words}`);
  };
  await Deno.writeTextFile(environment, "");
  await until("the key is gone", () => says("the proxy has no key for it; "));
  here.upstream.script = [fails(401, "bad key")];
  await Deno.writeTextFile(environment, `A=${KEY}\n`);
  await until("the key is there", () => says("it refuses the key"));
});

Deno.test("status goes by vm.json: system units and their flags, the key qube, a client", async () => {
  await using here = await scene({ units: "system" });
  const { world, gateway, proxy } = here;
  await world.unit("qubes-openclaw-proxy.service", {});
  await world.unit("qubes-openclaw-gateway.service", {});
  await world.unit("qubes-openclaw-watchdog.service", { ActiveState: "inactive" });
  await world.write(`${world.root}/run/qubes-service/openclaw-proxy`, "");
  const { stdout } = await here.run("status");
  assertStringIncludes(stdout, "qubes-openclaw-proxy.service");
  assertStringIncludes(stdout, "openclaw-proxy on, openclaw-gateway off, openclaw-watchdog off");
  assert((await world.calls()).some((call) => /^systemctl show .*qubes-openclaw-proxy/.test(call)));

  const proxyPort = Number(new URL(proxy.url).port);
  await world.settings({ role: "keys", provider: "openai", units: "user", proxyPort });
  const keys = await here.json("status");
  assertEquals([keys["gateway"], keys["ok"]], [null, true]);

  await world.settings({ role: "client", proxyPort, gatewayPort: gateway.port });
  await world.unit("openclaw-connect.service", {});
  const client = await here.run("status");
  assertEquals(client.code, 1, "no tunnel runs");
  assertStringIncludes(client.stdout, "role     client");
  assertStringIncludes(client.stdout, "tunnel   none runs");
  await world.settings({ role: "client", keyQube: true, gatewayPort: gateway.port });
  assertEquals(
    (await here.json("status"))["proxy"],
    null,
    "the agent's proxy is the agent's alone",
  );
  assertStringIncludes((await here.run("models")).stderr, "this VM has no proxy");
  assertEquals((await here.run("usage")).code, 1);
});

Deno.test("health asks every endpoint; each failure is a line and exit code 1", async () => {
  await using here = await scene();
  const { gateway, world, upstream } = here;
  const good = await here.run("health");
  assertEquals(good.code, 0, good.stdout);
  assertStringIncludes(good.stdout, "good    gateway handshake: the gateway takes the token");
  assertEquals(upstream.seen.length, 0, "no model is asked");
  gateway.token = "another";
  gateway.answers.set(
    "/readyz",
    () => Response.json({ ready: false, failing: ["telegram\x1b[2J"] }, { status: 503 }),
  );
  await world.unit("openclaw-watchdog.service", { ActiveState: "failed", SubState: "failed" });
  const bad = await here.run("health");
  assertEquals(bad.code, 1);
  assertStringIncludes(bad.stdout, "FAILED  gateway handshake: token-mismatch");
  assertStringIncludes(bad.stdout, 'FAILED  gateway: degraded: not ready: "telegram\\u{1b}[2J"');
  assertStringIncludes(bad.stdout, "FAILED  openclaw-watchdog.service: failed");
  assertStringIncludes(bad.stdout, "3 of 8 checks failed");
});

Deno.test("health --ask goes through to a model, and says what the provider says", async () => {
  await using here = await scene();
  const good = await here.run("health", "--ask");
  assertEquals(good.code, 0, good.stdout);
  assertStringIncludes(good.stdout, "good    model auto: answers after");
  here.upstream.script = [fails(401)];
  const bad = await here.run("health", "a/m");
  assertEquals(bad.code, 1);
  assertStringIncludes(bad.stdout, "FAILED  model a/m: it answers with HTTP status");
  const { proxy } = await here.json("status") as { proxy: Record<string, unknown> };
  assertEquals(proxy["state"], "unauthenticated", "the refused key is told apart");
});

Deno.test("nothing listens: status and health say it, and end with 1", async () => {
  await using world = await createCtlWorld();
  const [proxyPort, gatewayPort] = [freePort(), freePort()];
  await world.settings({ role: "agent", proxyPort, gatewayPort });
  for (const command of ["status", "health"]) {
    const { code, stdout } = await world.ctl(command);
    assertEquals(code, 1);
    assertStringIncludes(stdout, "unreachable: nothing listens");
  }
});

Deno.test("models, and usage from the books and from the counters", async () => {
  await using here = await scene();
  const { world, proxy } = here;
  const models = await here.json("models");
  assertEquals(models["models"], [{ id: "auto", provider: "a" }, { id: "a/m", provider: "a" }]);
  assertEquals((await here.run("usage")).stdout, "nothing was used\n");
  await (await proxy.chat({ model: "auto" })).text();
  await (await proxy.chat({ model: "a/m" })).text();
  await proxy.logged((line) => line.includes('"event":"request"'));
  // The books of the running proxy are read beside it: in its home.
  const settings = await Deno.readTextFile(`${world.home}/.config/openclaw/vm.json`);
  await world.write(`${proxy.home}/.config/openclaw/vm.json`, settings);
  const program = await world.launcher("openclaw-ctl");
  const books = async () => {
    const env = { ...world.env, HOME: proxy.home };
    const { stdout, code, stderr } = await runToEnd(program, ["usage", "--json"], env);
    assertEquals([code, stderr], [0, ""]);
    return JSON.parse(stdout);
  };
  let usage = await books();
  for (let tries = 0; usage.total.requests < 2 && tries < 20; tries++) usage = await books();
  const day = new Date().toISOString().slice(0, 10);
  // 1000 in and 100 out each, at 1000 and 10000 dollars a million.
  const sums = { requests: 2, tokens: 2200, spend: 4 };
  assertEquals([usage.source, usage.total], ["books", sums]);
  assertEquals(usage.rows, [{ day, client: "anyone", model: "a/m", ...sums }]);
  await world.settings({ ...JSON.parse(settings), keyQube: true });
  const remote = await here.json("usage");
  assertEquals(remote["source"], "counters");
  assertEquals(remote["rows"], [{ day: null, client: null, model: "a", ...sums }]);
});

Deno.test("restart: the right units, in order; what systemctl says against it", async () => {
  await using here = await scene();
  const { world } = here;
  assertEquals((await here.run("restart")).code, 0);
  const restarts = async () =>
    (await world.calls()).filter((call) => call.includes(" restart ")).map((call) =>
      call.replace("systemctl --user --no-ask-password restart -- openclaw-", "")
    );
  assertEquals(await restarts(), ["proxy.service", "gateway.service", "watchdog.service"]);
  await here.run("restart", "gateway");
  assertEquals((await restarts()).length, 4);
  await world.onRestart("openclaw-proxy.service", 'echo "Access \x1b[31mdenied" >&2; exit 1\n');
  const failed = await here.run("restart", "proxy");
  assertEquals(failed.code, 1);
  assertStringIncludes(failed.stdout, "FAILED: Access \\u{1b}[31mdenied");
  assertStringIncludes(failed.stdout, "try: systemctl --user restart openclaw-proxy.service");
  const wrong = await here.run("restart", "tunnel");
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, "here there are: proxy, gateway, watchdog, all");
  await world.unit("openclaw-gateway.service", null);
  const absent = await here.json("restart", "gateway");
  assertEquals((absent["units"] as { detail: string }[])[0]?.detail, "systemd knows no such unit");
});

Deno.test("cron passes its words on, and its output is safe", async () => {
  await using here = await scene();
  const { world } = here;
  await world.openclaw("cron list", "\x1b[1mname\x1b[0m  every\nevil \x1b]0;x\x07\n");
  const { code, stdout } = await here.run("cron", "list");
  assertEquals([code, stdout], [0, "name  every\nevil \\u{1b}]0;x\\u{7}\n"]);
  await world.openclaw("cron list --json", '{"jobs":[{"name":"\x9b2J"}]}\n');
  const value = await here.json("cron", "list");
  assertEquals(value["output"], { jobs: [{ name: "\x9b2J" }] });
  await world.openclaw("cron remove 1", "no such job\n", 1);
  const failed = await here.run("cron", "remove", "1");
  assertEquals([failed.code, failed.stderr], [1, "no such job\n"]);
});

Deno.test("webhook-test sends a body that the gateway takes, and its own token", async () => {
  await using here = await scene();
  const { gateway, world } = here;
  const good = await here.run("webhook-test");
  assertEquals(good.code, 0, good.stdout);
  assertStringIncludes(good.stdout, "taken (queued), mode next-heartbeat");
  assertEquals(JSON.parse(gateway.seen.at(-1)?.body ?? "").mode, "next-heartbeat");
  await here.run("webhook-test", "--now", "--text", "hello");
  assertEquals(JSON.parse(gateway.seen.at(-1)?.body ?? ""), { text: "hello", mode: "now" });
  gateway.answers.set("/hooks/wake", () => new Response("Unauthorized", { status: 401 }));
  const bad = await here.run("webhook-test");
  assertEquals(bad.code, 1);
  assertStringIncludes(bad.stdout, "runs with another hooks.token");
  await Deno.chmod(`${world.home}/.openclaw/openclaw.json`, 0o644);
  const open = await here.run("webhook-test");
  assertEquals(open.code, 1);
  assertStringIncludes(open.stderr, "can be read by group or other");
});

Deno.test("words that do not fit end with 2; vm.json is asked for by name", async () => {
  await using world = await createCtlWorld();
  for (const words of [[], ["nothing"], ["status", "x"], ["--bad"], ["usage", "--days", "x"]]) {
    await world.settings({ role: "agent" });
    assertEquals((await world.ctl(...words)).code, 2, words.join(" "));
  }
  assertStringIncludes((await world.ctl("help")).stdout, "usage: openclaw-ctl");
  assertStringIncludes((await world.ctl("--version")).stdout, "openclaw-ctl 2.");
  await Deno.remove(`${world.home}/.config/openclaw/vm.json`);
  const absent = await world.ctl("status");
  assertEquals(absent.code, 1);
  assertStringIncludes(absent.stderr, "nothing says what this VM is for");
  const json = JSON.parse((await world.ctl("--json", "status")).stdout);
  assertEquals([json.ok, json.command, typeof json.error.message], [false, "status", "string"]);
  const doctor = await world.ctl("doctor");
  assertEquals(doctor.code, 1);
  assertStringIncludes(doctor.stdout, "error: settings: there is no");
});
