// SPDX-License-Identifier: GPL-2.0-or-later
/** What the units of the agent VM start: the gateway's launcher, and the wait until it is ready. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../../e2e/free_port.ts";
import { PROJECT, sourceLauncher } from "../../e2e/program_flags.ts";
import { writeExecutable } from "../../executable.ts";

const DENO_FOLDER = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;

Deno.test("the gateway's launcher: the user's OpenClaw before the VM's, 78 without one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const run = async () => {
      const { code, stdout, stderr } = await new Deno.Command(
        `${PROJECT}/vm/packaging/openclaw-gateway`,
        { env: { HOME: `${folder}/home`, QUBES_CLAW_ROOT: folder } },
      ).output();
      return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
    };
    const none = await run();
    assertEquals(none.code, 78);
    assertStringIncludes(none.said, "setup-vm PROVIDER installs it");
    for (const place of ["usr/lib/qubes-claw", "home/.local/lib/qubes-claw"]) {
      const bin = `${folder}/${place}/openclaw/bin`;
      await Deno.mkdir(bin, { recursive: true });
      const script = `#!/bin/sh\necho ${place}: "$@"\n`;
      writeExecutable(`${bin}/openclaw`, script);
      assertEquals((await run()).said, `${place}: gateway run --bind loopback\n`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("openclaw-wait-ready: waits, ends with 1 in the end, and wants a known name", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const launcher = `${folder}/openclaw-wait-ready`;
    const source = sourceLauncher("openclaw-wait-ready", "vm/openclaw-wait-ready.ts");
    writeExecutable(launcher, source);
    const gatewayPort = freePort();
    await Deno.mkdir(`${folder}/.config/openclaw`, { recursive: true });
    const settings = JSON.stringify({ role: "agent", gatewayPort });
    await Deno.writeTextFile(`${folder}/.config/openclaw/vm.json`, settings);
    const env = { HOME: folder, DENO_DIR: DENO_FOLDER };
    const start = (...args: string[]) => new Deno.Command(launcher, { args, env }).output();
    assertEquals((await start("gateway", "--timeout", "1")).code, 1);
    assertEquals((await start("door")).code, 2);
    const waiting = start("gateway", "--timeout", "30");
    let count = 0;
    await using _server = Deno.serve(
      { hostname: "127.0.0.1", port: gatewayPort, onListen() {} },
      (request) =>
        new Response("", {
          status: new URL(request.url).pathname === "/readyz" && ++count > 2 ? 200 : 503,
        }),
    );
    assertEquals((await waiting).code, 0);
    assertEquals(count, 3);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
