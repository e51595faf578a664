// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-ctl's dashboard, pair and approve, with what OpenClaw's program and gateway answer. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { scene } from "./ctl_scene.ts";
import { GATEWAY_TOKEN } from "./ctl_world.ts";

const ONE_TIME = "http://127.0.0.1:18789/#bootstrapToken=one-time-0123456789&" +
  "bootstrapProfile=owner&gatewayUrl=ws%3A%2F%2F127.0.0.1%3A18789";

Deno.test("dashboard prints the one-time address, alone, on standard output", async () => {
  await using here = await scene();
  const { world } = here;
  const answer = (browserUrl: string) =>
    JSON.stringify({ ok: true, url: `http://x/#token=${GATEWAY_TOKEN}`, browserUrl });
  await world.openclaw("dashboard --json", answer(ONE_TIME));
  const { code, stdout, stderr } = await here.run("dashboard");
  assertEquals([code, stdout], [0, ONE_TIME + "\n"]);
  assert(!stderr.includes("one-time-0123456789"), stderr);
  for (const bad of ["https://evil.example/#bootstrapToken=0123456789", `${ONE_TIME}\x1b[2J`, ""]) {
    await world.openclaw("dashboard --json", answer(bad));
    const ran = await here.run("dashboard");
    assertEquals([ran.code, ran.stdout], [1, ""]);
  }
  await world.settings({ role: "client", gatewayPort: 18789 });
  const client = await here.run("dashboard");
  assertEquals([client.code, client.stdout], [1, ""]);
  assertStringIncludes(client.stderr, "port 18789 of this VM leads there through the tunnel");
});

Deno.test("pair tells the three errors apart, and lists who waits", async () => {
  await using here = await scene();
  const { world, gateway } = here;
  assertStringIncludes((await here.run("pair")).stdout, "nobody waits; 0 paired");
  const request = "ed558aeb-edf7-4a61-889b-9fca4a74e8f0";
  const one = { clientId: "openclaw-control-ui", platform: "linux\x1b[2J", ts: 1795338371163 };
  await world.openclaw(
    "devices list --json",
    JSON.stringify({
      paired: [{}],
      pending: [
        { ...one, requestId: request, scopes: ["operator.admin"] },
        { ...one, requestId: "--evil" },
      ],
    }),
  );
  const { code, stdout } = await here.run("pair");
  assertEquals(code, 0);
  assertStringIncludes(stdout, "pairing required: 2 wait, 1 paired");
  assertStringIncludes(stdout, `openclaw-ctl approve ${request}`);
  assertStringIncludes(stdout, 'better reject it: "--evil"');
  gateway.token = "another";
  const mismatch = await here.run("pair");
  assertEquals(mismatch.code, 1);
  assertStringIncludes(mismatch.stdout, "token mismatch: the gateway refuses ~/.openclaw/gateway");
  for (
    const [text, error] of [
      ["disconnected (1008): pairing required: device is not approved yet", "pairing-required"],
      ["1008 device identity required", "device-identity-required"],
      ["unauthorized: gateway token mismatch (provide gateway auth token)", "token-mismatch"],
      ["the weather", null],
    ] as const
  ) {
    assertEquals((await here.json("pair", text))["error"], error);
  }
});

Deno.test("approve passes one number on, and nothing that is none", async () => {
  await using here = await scene();
  const { world } = here;
  await world.openclaw("devices approve abc-1 --json", '{"device":{"tokens":["secret"]}}');
  const good = await here.run("approve", "abc-1");
  assertEquals([good.code, good.stdout], [0, "approved: abc-1\n"]);
  await world.openclaw("devices approve old --json", "No pending device request matches old.\n", 1);
  const old = await here.run("approve", "old");
  assertEquals(old.code, 1);
  assertStringIncludes(old.stderr, "not approved: No pending device request matches old.");
  for (const bad of ["a b", "../x", "-x", "a;b"]) {
    assertEquals((await here.run("approve", "--", bad)).code, 2);
  }
});
