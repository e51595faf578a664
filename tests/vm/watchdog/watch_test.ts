// SPDX-License-Identifier: GPL-2.0-or-later
/** Rounds of the watchdog with strict doubles of the servers and of systemd. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { HttpAnswer } from "../../../vm/probe/http_answer.ts";
import { metricSum } from "../../../vm/probe/metrics_text.ts";
import type { VmSettings } from "../../../vm/settings/vm_settings.ts";
import { memoryReason, quietSince, trafficOf } from "../../../vm/watchdog/idle.ts";
import {
  DEFAULT_WATCH,
  parseWatchSettings,
  type WatchSettings,
} from "../../../vm/watchdog/settings.ts";
import { createWatch } from "../../../vm/watchdog/watch.ts";

const VM: VmSettings = {
  ...{ role: "agent", provider: "multi", keyQube: false, units: "user" },
  ...{ proxyPort: 32125, gatewayPort: 18789 },
};

const json = (value: unknown, status = 200): HttpAnswer => ({
  ...{ kind: "answer", status, untrustedText: JSON.stringify(value) },
});
const WELL: Readonly<Record<string, HttpAnswer>> = {
  "32125/health": json({
    status: "healthy",
    authenticated: true,
    proxy_version: "1",
    providers: [],
  }),
  "32125/metrics": {
    ...{ kind: "answer", status: 200 },
    untrustedText: 'openclaw_proxy_active_requests 0\nopenclaw_proxy_requests_total{a="b"} 4\n',
  },
  "18789/healthz": json({ ok: true, status: "live" }),
  "18789/startupz": json({ ok: true, status: "started", version: "2026.9.6" }),
  "18789/readyz": json({ ready: true, failing: [] }),
};

function scene(vm: Partial<VmSettings> = {}, watch: Partial<WatchSettings> = {}) {
  const answers: Record<string, HttpAnswer> = { ...WELL };
  const ran: string[] = [];
  const said: string[] = [];
  const world = {
    nowMs: 10_000_000,
    memory: "100",
    active: "active",
    cpu: "[not set]",
    systemd: true,
  };
  const round = createWatch({
    ...{ vm: { ...VM, ...vm }, watch: { ...DEFAULT_WATCH, ...watch } },
    ask: (url) => {
      const answer = answers[url.replace("http://127.0.0.1:", "")];
      if (answer === undefined) throw new Error(`unexpected question: ${url}`);
      return Promise.resolve(answer);
    },
    run: (argv) => {
      ran.push(argv.join(" "));
      const unit = argv.at(-1);
      if (!world.systemd) {
        return Promise.resolve({ code: 1, untrustedOut: "", untrustedErr: "no bus" });
      }
      const untrustedOut = argv.includes("show")
        ? `Id=${unit}\nLoadState=loaded\nActiveState=${world.active}\nExecMainStatus=0\n` +
          `MemoryCurrent=${world.memory}\nCPUUsageNSec=${world.cpu}\nActiveEnterTimestamp=@1\n`
        : "";
      return Promise.resolve({ code: 0, untrustedOut, untrustedErr: "" });
    },
    nowMs: () => world.nowMs,
    say: (level, text) => said.push(`${level} ${text}`),
  });
  const rounds = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++) {
      world.nowMs += 30_000;
      await round();
    }
  };
  return { answers, ran, said, world, round, rounds };
}

const restarts = (ran: readonly string[]) => ran.filter((line) => line.includes(" restart "));

Deno.test("a well gateway and proxy: systemd is not asked at all", async () => {
  const { round, ran, said } = scene();
  assertEquals(await round(), { summary: "proxy ok, gateway ok", allWell: true });
  assertEquals([ran, said], [[], ["info proxy: ok", "info gateway: ok"]]);
});

Deno.test("a hung gateway: its own unit is restarted, with a list of words", async () => {
  const { answers, rounds, ran, said } = scene();
  answers["18789/healthz"] = { kind: "silent", seconds: 5 };
  await rounds(3);
  assertEquals(restarts(ran), [
    "systemctl --user --no-ask-password --no-block restart -- openclaw-gateway.service",
  ]);
  assertStringIncludes(said.at(-1) ?? "", "no answer in 5 s; restarting openclaw-gateway.service");
});

Deno.test("system units are asked and restarted as such", async () => {
  const { answers, rounds, ran } = scene({ units: "system" });
  answers["32125/health"] = { kind: "unreachable" };
  await rounds(3);
  assertEquals(restarts(ran), [
    "systemctl --no-ask-password --no-block restart -- qubes-openclaw-proxy.service",
  ]);
});

Deno.test("a proxy in another VM is never restarted from here, only said", async () => {
  const { answers, rounds, ran, said } = scene({ keyQube: true });
  answers["32125/health"] = { kind: "broken" };
  await rounds(9);
  assertEquals(ran, []);
  assertStringIncludes(said[0] ?? "", "runs in another VM");
});

Deno.test("the key qube watches the proxy alone; a client nothing", async () => {
  const keys = scene({ role: "keys" });
  assertEquals((await keys.round()).summary, "proxy ok");
  assertEquals((await scene({ role: "client" }).round()).summary, "");
});

for (
  const [name, port, answer, kind] of [
    [
      "503 of the gateway's readiness: a channel is down",
      "18789/readyz",
      json({ ready: false, failing: ["telegram"] }, 503),
      "degraded: not ready: telegram",
    ],
    ["401 of the proxy", "32125/health", json({ error: {} }, 401), "unauthenticated"],
    [
      "a key that the provider refused",
      "32125/health",
      json({
        ...{ status: "healthy", authenticated: false, proxy_version: "1" },
        providers: [{ name: "openai", keyRefused: true }],
      }),
      "unauthenticated: the key is refused by openai",
    ],
    [
      "every provider is out",
      "32125/health",
      json({
        ...{ status: "healthy", authenticated: true, proxy_version: "1" },
        providers: [{ name: "a", state: "open" }],
      }),
      "degraded: left alone after failures: a",
    ],
    ["a web server of another kind", "18789/healthz", {
      kind: "answer",
      status: 200,
      untrustedText: "<html>",
    }, "stranger"],
    ["it drains", "18789/startupz", json({ status: "draining" }, 503), "draining"],
    [
      "a name with an escape in it",
      "18789/readyz",
      json({ failing: ["\x1b[2Jx"] }, 503),
      'not ready: "\\u{1b}[2Jx"',
    ],
  ] as readonly (readonly [string, string, HttpAnswer, string])[]
) {
  Deno.test(`no restart for: ${name}`, async () => {
    const { answers, rounds, round, ran } = scene();
    answers[port] = answer;
    await rounds(12);
    assertEquals(restarts(ran), []);
    assertStringIncludes((await round()).summary, kind);
  });
}

Deno.test("where systemd cannot be asked nothing is restarted, and that is said once", async () => {
  const { answers, world, rounds, ran, said } = scene();
  answers["18789/healthz"] = { kind: "unreachable" };
  world.systemd = false;
  await rounds(9);
  assertEquals(restarts(ran), []);
  const errors = said.filter((line) => line.startsWith("error"));
  assertEquals(errors.length, 1);
  assertStringIncludes(errors[0] ?? "", 'cannot be asked: "no bus"');
});

Deno.test("503 of the gateway's liveness is a failure", async () => {
  const { answers, rounds, ran } = scene();
  answers["18789/healthz"] = json({ ok: false }, 503);
  await rounds(3);
  assertEquals(restarts(ran).length, 1);
});

Deno.test("a large gateway is restarted when it has been idle, and not while it works", async () => {
  const { answers, world, rounds, ran, said } = scene({}, { gatewayMegabytes: 1500 });
  world.memory = "1400000000";
  await rounds(30);
  assertEquals(restarts(ran), []);
  world.memory = "1600000000";
  answers["32125/metrics"] = { kind: "broken" };
  await rounds(30);
  assertEquals(restarts(ran), [], "whether it is idle is not known");
  answers["32125/metrics"] = WELL["32125/metrics"] ?? { kind: "broken" };
  await rounds(20);
  assertEquals(restarts(ran), []);
  await rounds(1);
  assertEquals(restarts(ran).length, 1);
  assertStringIncludes(said.join("\n"), "it takes 1600 MB, more than 1500, and is idle");
});

Deno.test("behind a key qube, which shows no counters, the processor tells whether it is idle", async () => {
  const { answers, world, rounds, ran } = scene({ keyQube: true }, { gatewayMegabytes: 1500 });
  answers["32125/metrics"] = json({ error: {} }, 404);
  world.memory = "1600000000";
  let cpuNs = 1e12;
  const pass = async (count: number, share: number): Promise<void> => {
    for (let at = 0; at < count; at++) {
      cpuNs += share * 30e9;
      world.cpu = String(cpuNs);
      await rounds(1);
    }
  };
  await pass(30, 0.5);
  assertEquals(restarts(ran), [], "it works");
  await pass(15, 0.01);
  await pass(1, 0.5);
  await pass(15, 0.01);
  assertEquals(restarts(ran), [], "not idle for long enough");
  await pass(10, 0.01);
  assertEquals(restarts(ran).length, 1);
});

Deno.test("idle is: nothing under way, and nothing that came since", () => {
  const first = quietSince(null, { active: 0, requests: 4 }, 1000);
  assertEquals(first, { requests: 4, sinceMs: 1000 });
  assertEquals(quietSince(first, { active: 0, requests: 4 }, 2000), first);
  assertEquals(quietSince(first, { active: 0, requests: 5 }, 2000)?.sinceMs, 2000);
  assertEquals(quietSince(first, { active: 1, requests: 4 }, 2000), null);
  const settings = { ...DEFAULT_WATCH, gatewayMegabytes: 0 };
  assertEquals(memoryReason(9e12, first, 9e12, settings), null, "switched off by 0");
});

Deno.test("metrics are summed over their labels; another name does not count", () => {
  const text = '# HELP a b\na{x="1"} 2\na{x="}"} 9\na 3\nab 7\na_total 1\na{x="2"} NaN\n';
  assertEquals(metricSum(text, "a"), 14);
  assertEquals(metricSum(text, "zzz"), null);
  assertEquals(trafficOf("x 1"), null);
});

Deno.test("watchdog.json: defaults, and each mistake by its name", () => {
  assertEquals(parseWatchSettings({}), DEFAULT_WATCH);
  const problems = parseWatchSettings({ failures: 0, everySecond: 3 });
  assert(Array.isArray(problems));
  assertEquals(problems.map(({ path }) => path).toSorted(), ["everySecond", "failures"]);
});
