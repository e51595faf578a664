// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Docker mode without Docker: the entrypoint as a process of this machine with the real programs
 * and a stand-in for OpenClaw; and the compose file, by compose itself where that is installed.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../until.ts";
import { PROJECT, sourceLauncher } from "./program_flags.ts";
import { freePort } from "./free_port.ts";
import { writeExecutable } from "../executable.ts";

const ENTRYPOINT = `${PROJECT}/vm/docker/entrypoint`;
const START_MS = 60_000;

interface Container extends AsyncDisposable {
  readonly home: string;
  readonly proxyPort: number;
  readonly gatewayPort: number;
  start(...words: string[]): Deno.ChildProcess;
  run(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Processes that run in this place, by their environment. */
  alive(): Promise<number>;
}

/** A folder for a file system, and programs as they are installed there. */
async function container(gateway: "serves" | "fails" | "ends" = "serves"): Promise<Container> {
  const folder = await Deno.makeTempDir({ prefix: "docker-" });
  const [home, bin, lib] = [`${folder}/home`, `${folder}/bin`, `${folder}/lib`];
  const openclaw = `${folder}/usr/lib/qubes-claw/openclaw/bin`;
  const share = `${folder}/usr/share/qubes-claw/openclaw`;
  for (const dir of [home, bin, lib, openclaw, share]) await Deno.mkdir(dir, { recursive: true });
  for await (const { name } of Deno.readDir(`${PROJECT}/vm/openclaw`)) {
    if (name.endsWith(".json")) {
      await Deno.copyFile(`${PROJECT}/vm/openclaw/${name}`, `${share}/${name}`);
    }
  }
  const [proxyPort, gatewayPort] = [freePort(), freePort()];
  writeExecutable(`${bin}/setup-vm`, sourceLauncher("setup-vm", "vm/setup-vm.ts"));
  writeExecutable(
    `${bin}/openclaw-proxy`,
    sourceLauncher("openclaw-proxy", "vm/openclaw-proxy.ts"),
  );
  writeExecutable(
    `${lib}/openclaw-wait-ready`,
    sourceLauncher("openclaw-wait-ready", "vm/openclaw-wait-ready.ts"),
  );
  writeExecutable(
    `${lib}/openclaw-gateway`,
    await Deno.readTextFile(`${PROJECT}/vm/packaging/openclaw-gateway`),
  );
  const serve = `exec "${Deno.execPath()}" run --quiet --no-check --allow-net=127.0.0.1 ` +
    `"${PROJECT}/tests/e2e/stand-in-server.ts" ${gatewayPort} /readyz gateway`;
  const roles = { serves: serve, fails: "exit 78", ends: "sleep 2; exit 3" };
  writeExecutable(
    `${openclaw}/openclaw`,
    `#!/bin/sh
case "$*" in
  "config validate --json") grep -q '"bind": "loopback"' "$HOME/.openclaw/openclaw.json" ;;
  "gateway run --bind loopback") ${roles[gateway]} ;;
  *) exit 2 ;;
esac
`,
  );
  const env = {
    ...{ HOME: home, USER: "user", QUBES_CLAW_ROOT: folder, QUBES_CLAW_LIB: lib },
    ...{ PATH: `${bin}:${Deno.env.get("PATH")}`, OPENCLAW_PROVIDER: "ollama" },
    ...{ OPENCLAW_PROXY_PORT: `${proxyPort}`, OPENCLAW_GATEWAY_PORT: `${gatewayPort}` },
    DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
  };
  const start = (...words: string[]): Deno.ChildProcess =>
    new Deno.Command(ENTRYPOINT, {
      ...{ args: words, clearEnv: true, env },
      ...{ stdin: "null", stdout: "piped", stderr: "piped" },
    }).spawn();
  return {
    ...{ home, proxyPort, gatewayPort, start },
    async run(...words) {
      const { code, stdout, stderr } = await start(...words).output();
      const text = new TextDecoder();
      return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
    },
    async alive() {
      let count = 0;
      for await (const { name } of Deno.readDir("/proc")) {
        if (!/^\d+$/.test(name)) continue;
        const environment = await Deno.readTextFile(`/proc/${name}/environ`).catch(() => "");
        if (environment.split("\0").includes(`QUBES_CLAW_ROOT=${folder}`)) count++;
      }
      return count;
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function answer(port: number, path: string): Promise<number> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    await response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}

const answers = (port: number, path: string): Promise<void> =>
  until(`port ${port} answers`, async () => await answer(port, path) === 200, START_MS);

/** SIGTERM, and what it ended with. */
async function stopped(child: Deno.ChildProcess): Promise<number> {
  child.kill("SIGTERM");
  const { code } = await child.output();
  return code;
}

Deno.test("proxy: writes an empty home, answers /health, ends on a signal", async () => {
  await using place = await container();
  const child = place.start("proxy");
  await answers(place.proxyPort, "/health");
  assertEquals(await Deno.stat(`${place.home}/.openclaw/openclaw.json`).catch(() => null), null);
  assertEquals(await stopped(child), 0);
  assertEquals(await answer(place.proxyPort, "/health"), 0);
});

Deno.test("gateway: no key is in its home", async () => {
  await using place = await container();
  const child = place.start("gateway");
  await answers(place.gatewayPort, "/readyz");
  assertEquals(await Deno.stat(`${place.home}/.openclaw/proxy.env`).catch(() => null), null);
  const token = await Deno.readTextFile(`${place.home}/.openclaw/gateway-token`);
  assert(/^[0-9a-f]{64}\n$/.test(token));
  await stopped(child);
  assertEquals(await answer(place.gatewayPort, "/readyz"), 0);
});

Deno.test("both: a signal ends all of them", async () => {
  await using place = await container();
  const child = place.start("both");
  await answers(place.proxyPort, "/health");
  await answers(place.gatewayPort, "/readyz");
  assertEquals(await stopped(child), 0);
  assertEquals(await answer(place.proxyPort, "/health"), 0);
  assertEquals(await answer(place.gatewayPort, "/readyz"), 0);
  assertEquals(await place.alive(), 0);
});

Deno.test("both: the end of one is the end of all, with its code", async () => {
  await using place = await container("ends");
  const { code, stderr } = await place.run("both");
  assertEquals(code, 3);
  assertStringIncludes(stderr, "entrypoint: gateway ended with 3");
  assertEquals(await place.alive(), 0);
});

Deno.test("test: 0 if all of it would work, 1 if a configuration is bad", async () => {
  await using place = await container();
  const good = await place.run("test");
  assertEquals(good.code, 0, good.stderr);
  assertStringIncludes(good.stdout, "proxy: http://127.0.0.1:");
  assertEquals(await place.alive(), 0);
  await Deno.writeTextFile(`${place.home}/.openclaw/openclaw.json`, "{}");
  assertEquals((await place.run("test")).code, 1);
  await Deno.writeTextFile(`${place.home}/.openclaw/proxy.json`, "{");
  const bad = await place.run("test");
  assertEquals(bad.code, 1);
  assertStringIncludes(bad.stdout + bad.stderr, "is not JSON");
});

Deno.test("an unknown role is said, with those that there are", async () => {
  await using place = await container();
  const odd = await place.run("prxy");
  assertEquals(odd.code, 2);
  assertStringIncludes(odd.stderr, "proxy, gateway, both, door, test, shell");
});

const hasSocat = await runs("socat", ["-V"]);

Deno.test({
  name: "healthy: one answer of the loopback decides",
  ignore: !hasSocat,
  fn: async () => {
    await using place = await container();
    const proxy = place.start("proxy");
    await answers(place.proxyPort, "/health");
    const health = (path: string) => place.run("healthy", path, `${place.proxyPort}`);
    assertEquals((await health("/health")).code, 0);
    assertEquals((await health("/nowhere")).code, 1);
    assertEquals((await place.run("healthy", "/", `${freePort()}`)).code, 1);
    await stopped(proxy);
  },
});

/** In a network of its own, where the container's address is one of loopback's interface. */
const OWN_NETWORK = ["unshare", "--net", "--map-root-user", "--kill-child", "--"];
const DOOR_SCRIPT = `set -eu
ip link set lo up
ip address add 10.137.9.9/32 dev lo
"$DENO" run --quiet --no-check --allow-net=127.0.0.1 "$SERVER" 32125 /health proxy &
server=$!
OPENCLAW_DOOR_ADDRESS=10.137.9.9 "$ENTRYPOINT" door &
door=$!
ask() { printf 'GET /health HTTP/1.0\\r\\n\\r\\n' | socat -t 5 - TCP:10.137.9.9:32125 2>/dev/null; }
answer=
for try in $(seq 200); do answer=$(ask) && [ -n "$answer" ] && break; sleep 0.05; done
kill -TERM $door
wait $door && echo "door ended with 0"
ask || echo "closed"
kill $server
case $answer in *proxy) echo "through the door" ;; esac
`;

Deno.test({
  name: "door: leads from the container's address to loopback, and is shut by a signal",
  ignore: !hasSocat || !await runs("unshare", ["--net", "--map-root-user", "ip", "link"]),
  fn: async () => {
    const [program = "", ...words] = OWN_NETWORK;
    const { stdout, stderr } = await new Deno.Command(program, {
      args: [...words, "sh", "-c", DOOR_SCRIPT],
      env: {
        ...{ DENO: Deno.execPath(), SERVER: `${PROJECT}/tests/e2e/stand-in-server.ts`, ENTRYPOINT },
      },
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    const said = text.decode(stdout);
    for (const line of ["through the door", "door ended with 0", "closed"]) {
      assertStringIncludes(said, line, text.decode(stderr));
    }
  },
});

Deno.test("a door that would be loopback's own is refused", async () => {
  const { code, stderr } = await new Deno.Command(ENTRYPOINT, {
    args: ["door"],
    env: { OPENCLAW_DOOR_ADDRESS: "127.0.0.1" },
  }).output();
  assertEquals(code, 2);
  assertStringIncludes(new TextDecoder().decode(stderr), "not loopback");
});

async function runs(program: string, args: readonly string[]): Promise<boolean> {
  return await new Deno.Command(program, { args: [...args], stdout: "null", stderr: "null" })
    .output().then(({ success }) => success, () => false);
}

const compose = await runs("docker", ["compose", "version"])
  ? ["docker", "compose"]
  : await runs("docker-compose", ["version"])
  ? ["docker-compose"]
  : undefined;
if (compose === undefined) {
  console.error(
    "\nSKIPPED: no docker compose here; vm/docker/compose.yaml is NOT checked. " +
      "Debian has it: apt install docker-compose\n",
  );
}

Deno.test({
  name: "compose accepts the file: loopback only, no privileges, read-only, secrets as files",
  ignore: compose === undefined,
  fn: async () => {
    const [program = "", ...words] = compose ?? [];
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [...words, "-f", `${PROJECT}/vm/docker/compose.yaml`, "config"],
      env: { OPENCLAW_PROXY_ENV: "/dev/null" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const services = ["door", "gateway", "proxy"];
    const count = (pattern: RegExp): number => [...text.matchAll(pattern)].length;
    assertEquals(count(/^ {4}read_only: true$/gm), services.length);
    assertEquals(count(/^ +- ALL$/gm), services.length);
    assertEquals(count(/no-new-privileges:true/g), services.length);
    assertEquals(count(/^ {4}network_mode: service:door$/gm), 2);
    const published = [...text.matchAll(/(?:host_ip: |^ +- )(127\.0\.0\.1|[\d.]+:\d+:)/gm)];
    assert(published.length >= 2);
    assertEquals(published.filter(([, address]) => !address?.startsWith("127.0.0.1")), []);
    assert(!/0\.0\.0\.0|privileged|KEY=|docker\.sock/.test(text));
    assertStringIncludes(text, "/readyz");
  },
});

Deno.test("the Dockerfile runs nothing that it has just fetched, and no install scripts", () => {
  const text = Deno.readTextFileSync(`${PROJECT}/vm/docker/Dockerfile`);
  assert(!/curl|wget|\|\s*(ba)?sh/.test(text));
  const npm = [...text.matchAll(/npm (ci|install) .*/g)].map(([line]) => line);
  assertEquals(npm.filter((line) => !/^npm ci .*--ignore-scripts/.test(line)), []);
  assert(npm.length === 3);
  assert(/^ARG DEBIAN=debian:[\d.]+-slim$/m.test(text), "a tag that says which");
  assert(/^USER user$/m.test(text));
});
