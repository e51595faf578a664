// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-ctl's logs and follow, with a journalctl that prints what the real one does. @module */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { scene } from "./ctl_scene.ts";
import { GATEWAY_TOKEN, HOOKS_TOKEN } from "./ctl_world.ts";

const entry = (unit: string, MESSAGE: unknown, more: Record<string, unknown> = {}) => ({
  ...{ __REALTIME_TIMESTAMP: "1795338371163000", PRIORITY: "6", MESSAGE },
  ...{ _SYSTEMD_USER_UNIT: unit, ...more },
});
const PROXY_LINE = JSON.stringify({
  ...{ time: "2026-11-22T09:06:11.163Z", level: "info", event: "request", request: "r1" },
  ...{ client: "anyone", target: null, ms: 12 },
});

Deno.test("logs are safe for a terminal, and show no secret", async () => {
  await using here = await scene();
  const { world } = here;
  await world.journal([
    entry("openclaw-proxy.service", PROXY_LINE),
    entry("openclaw-gateway.service", [0x1b, 0x5b, 0x33, 0x31, 0x6d, 0x68, 0x69, 0x1b, 0x5d]),
    entry("openclaw-gateway.service", `Bearer ${GATEWAY_TOKEN} url=/#token=${HOOKS_TOKEN}&x`),
    entry("init.scope", "Main process exited", { USER_UNIT: "openclaw-gateway.service" }),
    entry("another.service", "not ours"),
    entry("openclaw-watchdog.service", "given up", { PRIORITY: "3" }),
    entry("openclaw-watchdog.service", null),
  ]);
  const { code, stdout } = await here.run("logs", "--lines", "7", "--since=-1h");
  const lines = stdout.split("\n").slice(0, -1).map((line) => line.slice(21));
  assertEquals([code, lines], [0, [
    "proxy     request request=r1 client=anyone ms=12",
    "gateway   hi\\u{1b}]",
    "gateway   Bearer [secret] url=/#token=[secret]&x",
    "gateway   Main process exited",
    "watchdog  error: given up",
    "watchdog  (too long for the journal)",
  ]]);
  const [call = ""] = (await world.calls()).filter((one) => one.startsWith("journalctl"));
  assertStringIncludes(call, "--lines=7 --since=-1h --user-unit=openclaw-proxy.service");
  const json = (await here.run("logs", "proxy", "--json")).stdout.split("\n").slice(0, -1);
  assertEquals(JSON.parse(json[0] ?? ""), {
    ...{ at: "2026-11-22T09:06:11.163Z", part: "proxy", priority: 6 },
    text: "request request=r1 client=anyone ms=12",
  });
  await world.write(`${world.folder}/stand-ins/journalctl-fails`, "No journal files\n");
  const failed = await here.run("logs", "gateway");
  assertEquals(failed.code, 1);
  assertStringIncludes(failed.stderr, "the journal cannot be read: No journal files");
  assertStringIncludes(failed.stderr, "sudo journalctl --user-unit openclaw-gateway.service");
});

Deno.test("follow shows what comes, and ends its journalctl with itself", async () => {
  await using here = await scene();
  const { world } = here;
  await world.journal([entry("openclaw-proxy.service", "first")]);
  const child = new Deno.Command(await world.launcher("openclaw-ctl"), {
    ...{ args: ["follow", "proxy"], env: { ...world.env }, clearEnv: true },
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream() as never).getReader();
  let text = "";
  const until = async (word: string): Promise<void> => {
    while (!text.includes(word)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`ended without ${word}: ${text}`);
      text += value;
    }
  };
  await until("first");
  const more = JSON.stringify(entry("openclaw-proxy.service", "second"));
  await Deno.writeTextFile(`${world.folder}/stand-ins/journal`, more + "\n", { append: true });
  await until("second");
  child.kill("SIGTERM");
  assertEquals((await child.status).code, 143);
  // The pipes are closed, so nothing that it started holds them.
  while (!(await reader.read()).done);
  await child.stderr.cancel();
});
