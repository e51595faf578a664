// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-ctl doctor: every finding, provoked. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Scene, scene } from "./ctl_scene.ts";
import { type CtlWorld } from "./ctl_world.ts";
import { freePort } from "./free_port.ts";
import { fails } from "./proxy_upstream.ts";

/** Each finding: how it is provoked, what the doctor says, and whether it is an error. */
const PROVOKED: readonly (readonly [
  id: string,
  provoke: (here: Scene) => unknown,
  says: string,
  fix: string,
  level?: "warning",
])[] = [
  [
    "openclaw-missing",
    ({ world }) => Deno.remove(`${world.home}/.local/lib/qubes-claw/openclaw/bin/openclaw`),
    "OpenClaw is not in",
    "setup-vm PROVIDER",
  ],
  [
    "openclaw-old",
    ({ world }) => world.openclaw("--version", "OpenClaw 2026.2.3 (abc)\n"),
    "OpenClaw 2026.2.3 has known vulnerabilities: GHSA-943q-mwmv-hhvh",
    "setup-vm",
  ],
  [
    "openclaw-old",
    ({ world }) => world.openclaw("--version", "OpenClaw 2026.1.5\n"),
    "CVE-2026-25253: a link takes the gateway's token; CVE-2026-28472",
    "setup-vm",
  ],
  [
    "openclaw-old",
    ({ world }) => world.openclaw("--version", "OpenClaw 2026.9.5\n"),
    "OpenClaw 2026.9.5 is older than 2026.9.6",
    "setup-vm",
    "warning",
  ],
  [
    "node-old",
    ({ world }) => world.openclaw("node", "v20.20.2\n"),
    "is Node v20.20.2; OpenClaw starts with 24.16",
    "setup-vm",
  ],
  [
    "config-rejected",
    ({ world }) =>
      world.openclaw(
        "config validate --json",
        JSON.stringify({
          valid: false,
          issues: [{ path: "models.providers.x.api", message: "Invalid \x1b[2Joption" }],
        }),
      ),
    "models.providers.x.api: Invalid \\u{1b}[2Joption",
    "openclaw-ctl restart gateway",
  ],
  [
    "config-missing",
    ({ world }) => Deno.remove(`${world.home}/.openclaw/openclaw.json`),
    "there is no ",
    "setup-vm",
  ],
  [
    "config-risky",
    ({ world }) =>
      world.write(
        `${world.home}/.openclaw/openclaw.json`,
        '{"gateway":{"bind":"loopback","terminal":{"enabled":false}}}',
      ),
    "autoApproveLocal is not false",
    "set it to false",
    "warning",
  ],
  [
    "mode",
    ({ world }) => Deno.chmod(`${world.home}/.openclaw/proxy.env`, 0o640),
    "proxy.env has mode 0640: others may read it",
    "chmod 600 ",
  ],
  [
    "mode",
    ({ world }) => Deno.chmod(`${world.home}/.openclaw`, 0o755),
    ".openclaw has mode 0755",
    "chmod 700 ",
  ],
  [
    "mode",
    ({ world }) => Deno.chmod(`${world.home}/.config/openclaw/vm.json`, 0o622),
    "vm.json has mode 0622: others may write it",
    "chmod 600 ",
  ],
  [
    "token-missing",
    ({ world }) => Deno.remove(`${world.home}/.openclaw/gateway-token`),
    "there is no ",
    "setup-vm",
  ],
  [
    "token-refused",
    ({ gateway }) => gateway.token = "another",
    "the gateway refuses ~/.openclaw/gateway-token",
    "openclaw-ctl restart gateway",
  ],
  [
    "proxy-config",
    ({ world }) => world.write(`${world.home}/.openclaw/proxy.json`, '{"providers":{"x":{}}}'),
    "proxy.json: providers.x",
    "",
  ],
  [
    "key-missing",
    ({ world }) => world.write(`${world.home}/.openclaw/proxy.env`, "OTHER=x\n"),
    "proxy.env has no OPENAI_API_KEY, the key of the provider openai",
    "write a line OPENAI_API_KEY=KEY",
  ],
  [
    "key-refused",
    async ({ proxy, upstream }) => {
      upstream.script = [fails(401)];
      await (await proxy.chat({ model: "auto" })).text();
    },
    "the provider a refused the key",
    "proxy.env",
    "warning",
  ],
  [
    "provider-out",
    async ({ proxy, upstream }) => {
      upstream.script = [fails(500)];
      for (let at = 0; at < 6; at++) await (await proxy.chat({ model: "auto" })).text();
    },
    "left alone after failures: a",
    "it tries again by itself",
    "warning",
  ],
  [
    "systemd",
    ({ world }) =>
      world.write(`${world.folder}/stand-ins/systemctl-fails`, "Failed to connect to bus\n"),
    'systemd cannot be asked: "Failed to connect to bus"',
    "sudo",
  ],
  [
    "unit-missing",
    ({ world }) => world.unit("openclaw-watchdog.service", null),
    "systemd knows no openclaw-watchdog.service",
    "setup-vm",
  ],
  [
    "unit-missing",
    ({ world }) => world.unit("openclaw-watchdog.service", { LoadState: "masked" }),
    "openclaw-watchdog.service is masked",
    "systemctl --user unmask openclaw-watchdog.service",
  ],
  [
    "unit-failed",
    ({ world }) =>
      world.unit("openclaw-watchdog.service", { ActiveState: "failed", ExecMainStatus: "78" }),
    "openclaw-watchdog.service ended with code 78: its configuration is wrong",
    "openclaw-ctl logs watchdog",
  ],
  [
    "unit-stopped",
    ({ world }) => world.unit("openclaw-watchdog.service", { ActiveState: "inactive" }),
    "openclaw-watchdog.service does not run",
    "openclaw-ctl restart watchdog",
    "warning",
  ],
  [
    "unit-disabled",
    ({ world }) => world.unit("openclaw-gateway.service", { UnitFileState: "disabled" }),
    "openclaw-gateway.service is disabled",
    "systemctl --user enable openclaw-gateway.service",
    "warning",
  ],
  [
    "port-taken",
    ({ world }) => world.unit("openclaw-gateway.service", { ActiveState: "inactive" }),
    "and not by openclaw-gateway.service",
    "another port in setup-vm",
  ],
  [
    "port-taken",
    ({ gateway }) => gateway.answers.set("/healthz", () => new Response("<html>")),
    "and not by openclaw-gateway.service",
    "another port in setup-vm",
  ],
  [
    "no-answer",
    ({ gateway }) => gateway.answers.set("/healthz", () => new Response("", { status: 500 })),
    "the gateway: unhealthy: it answers with HTTP status 500",
    "openclaw-ctl logs gateway",
  ],
  [
    "not-ready",
    ({ gateway }) =>
      gateway.answers.set(
        "/readyz",
        () => Response.json({ ready: false, failing: ["telegram"] }, { status: 503 }),
      ),
    "not ready: telegram",
    "a restart would not help",
    "warning",
  ],
];

Deno.test("doctor finds nothing in a well VM", async () => {
  await using here = await scene();
  const { code, stdout } = await here.run("doctor");
  assertEquals([code, stdout], [0, "nothing was found\n"]);
});

for (const [id, provoke, says, fix, level = "error"] of PROVOKED) {
  Deno.test(`doctor: ${id}: ${says}`, async () => {
    await using here = await scene();
    await provoke(here);
    const { findings, ok } = await here.json("doctor") as {
      readonly findings: readonly Record<"id" | "level" | "text" | "fix", string>[];
      readonly ok: boolean;
    };
    const found = findings.find((one) => one.id === id && one.text.includes(says));
    assert(found !== undefined, JSON.stringify(findings, null, 2));
    assertEquals(found.level, level);
    assertStringIncludes(found.fix, fix);
    assertEquals(ok, findings.every((one) => one.level === "warning"));
  });
}

Deno.test("doctor: without systemd nothing is said of whose the ports are", async () => {
  await using here = await scene();
  const { world } = here;
  await world.write(`${world.folder}/stand-ins/systemctl-fails`, "Failed to connect to bus\n");
  const { stdout } = await here.run("doctor");
  assertStringIncludes(stdout, "1 errors, 0 warnings");
});

Deno.test("doctor: flag-missing, only where the units are the system's", async () => {
  await using here = await scene({ units: "system" });
  const { world } = here;
  for (const part of ["proxy", "gateway", "watchdog"]) {
    await world.unit(`qubes-openclaw-${part}.service`, {});
    if (part !== "watchdog") {
      await world.write(`${world.root}/run/qubes-service/openclaw-${part}`, "");
    }
  }
  const { code, stdout } = await here.run("doctor");
  assertEquals(code, 1);
  assertStringIncludes(stdout, "error: flag-missing: the flag openclaw-watchdog of qvm-service");
  assertStringIncludes(stdout, "fix: in dom0: qvm-service VM openclaw-watchdog on");
  assertStringIncludes(stdout, "1 errors, 0 warnings");
});

Deno.test("doctor: tunnel-down, in a client VM and where the keys are in another", async () => {
  await using here = await scene();
  const { world, gateway } = here;
  const closed = freePort();
  await world.unit("openclaw-connect.service", {});
  await world.settings({ role: "client", proxyPort: closed, gatewayPort: freePort() });
  const client = await here.run("doctor");
  assertEquals(client.code, 1);
  assertStringIncludes(client.stdout, `tunnel-down: no tunnel runs for port ${closed} (the proxy)`);
  assertStringIncludes(client.stdout, "systemctl --user enable --now openclaw-connect");
  await world.unit("openclaw-tunnel.service", {});
  await world.settings({
    ...{ role: "agent", keyQube: true, proxyPort: closed, gatewayPort: gateway.port },
  });
  const agent = await here.run("doctor");
  assertStringIncludes(agent.stdout, `tunnel-down: no tunnel runs for port ${closed} (the proxy)`);
  assertStringIncludes(agent.stdout, "fix: openclaw-ctl restart tunnel");
  // A tunnel that runs, and nothing behind it.
  await using _tunnel = await standInTunnel(world, closed);
  const behind = await here.run("doctor");
  assertStringIncludes(behind.stdout, "tunnel-down: the proxy: unreachable: nothing listens");
  assertStringIncludes(behind.stdout, "openclaw-tunnel check");
});

/** The state file of a running tunnel, and the lock that says that it runs. */
async function standInTunnel({ root, write }: CtlWorld, port: number): Promise<AsyncDisposable> {
  const folder = `${root}/run/openclaw/tunnel-${port}`;
  const state = { pid: 1, startedAt: "2026-11-22T09:00:00.000Z", version: "2.0.0" };
  const counts = { open: 0, total: 0, failed: 0, bytesUp: 0, bytesDown: 0, lastFailure: null };
  const route = { address: "127.0.0.1", port, remotePort: port, vm: "keys", mode: "persistent" };
  await write(
    `${folder}/tunnel.json`,
    JSON.stringify({ ...state, ports: [{ ...route, ...counts, modeReason: null }] }),
  );
  await write(`${folder}/tunnel.lock`, "");
  const lock = await Deno.open(`${folder}/tunnel.lock`, { read: true, write: true });
  await lock.lock(true);
  return { [Symbol.asyncDispose]: () => Promise.resolve(lock.close()) };
}
