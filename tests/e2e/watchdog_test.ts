// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-watchdog, the real program, and a gateway that is killed, stopped, or says no. @module */

import { until } from "../until.ts";
import { delay } from "@std/async/delay";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createCtlWorld, type CtlWorld, runToEnd } from "./ctl_world.ts";
import { freePort } from "./free_port.ts";
import { PROJECT } from "./program_flags.ts";
import { fails, startUpstream } from "./proxy_upstream.ts";
import { type ProxyWorld, startProxy } from "./proxy_world.ts";

/** Thirty seconds are a tenth of one here. */
const FAST = { everySeconds: 0.1, answerSeconds: 1, startSeconds: 0, backoffSeconds: 0.2 };

interface Scene extends AsyncDisposable {
  readonly world: CtlWorld;
  readonly proxy: ProxyWorld;
  readonly upstream: ReturnType<typeof startUpstream>;
  /** What /healthz answers from now on, also after a restart. */
  status(code: number): Promise<void>;
  gatewayPid(): Promise<number>;
  restarts(): Promise<readonly string[]>;
  /** Starts it; what it says is kept. */
  watch(): Promise<void>;
  /** Waits for a line that holds the text, as many times as that. */
  said(text: string, times?: number): Promise<string>;
  /** Time for that many looks: that nothing happens has no event. */
  rounds(count: number): Promise<void>;
  stop(): Promise<number>;
}

async function scene(settings: Record<string, unknown> = {}): Promise<Scene> {
  const world = await createCtlWorld();
  const upstream = startUpstream(fails(500));
  const proxy = await startProxy({
    providers: { a: { kind: "openai", baseUrl: `${upstream.url}/v1`, models: ["m"] } },
    models: { auto: { try: ["a/m"] } },
  });
  const gatewayPort = freePort();
  const proxyPort = Number(new URL(proxy.url).port);
  await world.settings({ role: "agent", units: "user", proxyPort, gatewayPort });
  await world.write(
    `${world.home}/.config/openclaw/watchdog.json`,
    JSON.stringify({ ...FAST, ...settings }),
  );
  const [pidFile, statusFile] = [`${world.folder}/gateway.pid`, `${world.folder}/gateway.status`];
  const start = `"${Deno.execPath()}" run -A --no-check --quiet ` +
    `"${PROJECT}/tests/e2e/gateway-double.ts" ${gatewayPort} "${statusFile}"`;
  // As systemd would: the old process ends, a new one begins.
  await world.onRestart(
    "openclaw-gateway.service",
    `[ ! -e ${pidFile} ] || kill -KILL "$(cat ${pidFile})" 2>/dev/null; ` +
      `${start} >/dev/null 2>&1 </dev/null & echo $! >${pidFile}
until curl -s -o /dev/null http://127.0.0.1:${gatewayPort}/; do sleep 0.05; done\n`,
  );
  await runToEnd("/bin/sh", [`${world.folder}/stand-ins/restart-openclaw-gateway.service`], {
    ...world.env,
  });
  await world.executable(`${world.folder}/bin/systemd-notify`, NOTIFY);
  const gatewayPid = async () => Number(await Deno.readTextFile(pidFile));
  let child: Deno.ChildProcess | null = null;
  let reading: Promise<void> = Promise.resolve();
  let text = "";
  let look = (): void => {};
  const said = (word: string, times = 1): Promise<string> =>
    new Promise((resolve, reject) => {
      const give = setTimeout(() => reject(new Error(`not said: ${word}\n${text}`)), 60_000);
      look = () => {
        const line = text.split("\n").slice(0, -1).filter((one) => one.includes(word))[times - 1];
        if (line !== undefined) clearTimeout(give), resolve(line);
      };
      look();
    });
  const calls = async (word: string) => (await world.calls()).filter((call) => call.includes(word));
  return {
    ...{ world, proxy, upstream, gatewayPid, said },
    status: (code) => world.write(statusFile, String(code)),
    restarts: () => calls(" restart "),
    async watch() {
      const env = { ...world.env, NOTIFY_SOCKET: "@none", WATCHDOG_USEC: "200000" };
      child = new Deno.Command(await world.launcher("openclaw-watchdog"), {
        ...{ env, clearEnv: true, stdin: "null", stdout: "null", stderr: "piped" },
      }).spawn();
      const { stderr } = child;
      reading = (async () => {
        for await (const part of stderr.pipeThrough(new TextDecoderStream() as never)) {
          text += part;
          look();
        }
      })();
      await said("gateway: ok");
    },
    rounds: (count) => delay(count * 2_000 * FAST.everySeconds),
    async stop() {
      child?.kill("SIGTERM");
      const { code = 0 } = await child?.status ?? {};
      await reading;
      child = null;
      return code;
    },
    async [Symbol.asyncDispose]() {
      child?.kill("SIGKILL");
      await child?.status;
      await reading;
      const pid = await gatewayPid();
      if (pid > 1) await runToEnd("/bin/kill", ["-KILL", String(pid)], {});
      await proxy[Symbol.asyncDispose]();
      await upstream.close();
      await world[Symbol.asyncDispose]();
    },
  };
}

const NOTIFY = '#!/bin/sh\nshift; echo "notify $*" >>"$STAND_INS/notified"\n';

Deno.test("a killed gateway is restarted once, and is well again", async () => {
  await using here = await scene();
  await here.watch();
  const before = await here.gatewayPid();
  Deno.kill(before, "SIGKILL");
  await here.said("gateway: unreachable: nothing listens; restarting openclaw-gateway.service");
  await here.said("gateway: ok", 2);
  assert(await here.gatewayPid() !== before);
  await here.rounds(5);
  assertEquals(await here.restarts(), [
    "systemctl --user --no-ask-password --no-block restart -- openclaw-gateway.service",
  ]);
  assertEquals(await here.stop(), 0);
});

Deno.test("dom0 hears of restarts, of giving up and of being well, where its policy lets it", async () => {
  await using here = await scene({ tellDom0: "yes", restartsPerHour: 1 });
  const { world } = here;
  const told = `${world.folder}/told`;
  const call = `#!/bin/sh\necho "$*" >>${told}\n`;
  await world.executable(`${world.folder}/bin/qrexec-client-vm`, call);
  await here.watch();
  await here.status(503);
  await here.said("given up");
  await here.status(200);
  await here.said("gateway: ok", 2);
  await here.rounds(3);
  assertEquals((await Deno.readTextFile(told)).trimEnd().split("\n"), [
    "dom0 openclaw.Notice+gateway.restarted",
    "dom0 openclaw.Notice+gateway.given-up",
    "dom0 openclaw.Notice+gateway.well",
  ]);
  await world.executable(`${world.folder}/bin/qrexec-client-vm`, "#!/bin/sh\nexit 126\n");
  await here.status(503);
  await here.said('gateway: dom0 was not told (given-up): "its policy refuses it"');
});

Deno.test("a gateway that hangs is restarted; a reachable port is not enough", async () => {
  await using here = await scene();
  await here.watch();
  Deno.kill(await here.gatewayPid(), "SIGSTOP");
  await here.said("gateway: unhealthy: no answer in 1 s; restarting");
  await here.said("gateway: ok", 2);
  assertEquals((await here.restarts()).length, 1);
});

Deno.test("503 for ever: three restarts, given up once and loudly, and well when it is", async () => {
  await using here = await scene();
  await here.watch();
  await here.status(503);
  await here.said("3 restarts in an hour did not help: given up");
  await here.rounds(8);
  assertEquals((await here.restarts()).length, 3);
  await here.status(200);
  await here.said("gateway: ok", 2);
  assertEquals((await here.restarts()).length, 3);
});

Deno.test("401, and 403: no restart, whatever the number of times", async () => {
  await using here = await scene();
  await here.watch();
  await here.status(401);
  await here.said("error: gateway: unauthenticated: it answers with HTTP status 401; a restart");
  await here.rounds(10);
  assertEquals(await here.restarts(), []);
});

Deno.test("a provider's outage and a refused key are told apart, and restart nothing", async () => {
  await using here = await scene();
  const { proxy, upstream } = here;
  await here.watch();
  upstream.script = [fails(401)];
  await (await proxy.chat({ model: "auto" })).text();
  await here.said("proxy: unauthenticated: the key is refused by a; a restart would not");
  upstream.script = [fails(500)];
  await proxy.writeConfig({
    providers: { a: { kind: "openai", baseUrl: `${upstream.url}/v1`, models: ["m"] } },
    models: { auto: { try: ["a/m"] } },
    breaker: { failures: 1 },
  });
  await proxy.logged((line) => line.includes("configuration read"));
  await (await proxy.chat({ model: "auto" })).text();
  await here.said("proxy: degraded: left alone after failures: a");
  await here.rounds(8);
  assertEquals(await here.restarts(), []);
});

Deno.test("what was stopped by someone stays stopped", async () => {
  await using here = await scene();
  await here.watch();
  await here.world.unit("openclaw-gateway.service", { ActiveState: "inactive" });
  Deno.kill(await here.gatewayPid(), "SIGKILL");
  await here.said("gateway: unreachable: nothing listens; it was stopped");
  await here.rounds(8);
  assertEquals(await here.restarts(), []);
});

Deno.test("it tells systemd that it is ready, alive, and what it saw", async () => {
  await using here = await scene();
  await here.watch();
  const told = () => Deno.readTextFileSync(`${here.world.folder}/stand-ins/notified`);
  const lines = ["notify STATUS=proxy ok, gateway ok\n", "notify WATCHDOG=1\n"];
  await until("it is told", () => lines.every((line) => told().includes(line)));
  assertEquals(await here.stop(), 0);
  assert(told().startsWith("notify READY=1\n"), told());
});

Deno.test("a restart that systemd refuses is said, with its words made safe", async () => {
  await using here = await scene();
  await here.world.onRestart("openclaw-gateway.service", "echo 'no \x1b[31mright' >&2; exit 4\n");
  await here.watch();
  await here.status(503);
  await here.said('gateway: the restart failed: "no \\u{1b}[31mright"');
});

Deno.test("--once says what it found and restarts nothing; what cannot be watched ends with 78", async () => {
  await using here = await scene();
  const { world } = here;
  const once = async () =>
    await runToEnd(await world.launcher("openclaw-watchdog"), ["--once"], world.env);
  assertEquals(await once(), { code: 0, stdout: "proxy ok\ngateway ok\n", stderr: "" });
  await here.status(503);
  const bad = await once();
  assertEquals([bad.code, bad.stdout], [
    ...[1, "proxy ok\ngateway unhealthy: it answers with HTTP status 503\n"],
  ]);
  assertEquals(await here.restarts(), []);
  await world.write(`${world.home}/.config/openclaw/watchdog.json`, '{"failure": 1}');
  const settings = await once();
  assertEquals(settings.code, 78);
  assertStringIncludes(settings.stderr, "failure: no such setting");
  await world.settings({ role: "client" });
  await Deno.remove(`${world.home}/.config/openclaw/watchdog.json`);
  assertStringIncludes((await once()).stderr, "nothing to watch in a client VM");
});
