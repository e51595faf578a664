// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertMatch } from "@std/assert";
import { turn } from "../../../../vm/ctl/commands/turn.ts";
import type { Scene } from "../../../../vm/ctl/scene.ts";
import type { UnitVerb } from "../../../../vm/probe/units.ts";

const PARTS = ["proxy", "gateway", "watchdog"] as const;

/** The words that systemctl got, and what came of them; the gateway's unit fails where it is told to. */
async function turned(verb: UnitVerb, fails: boolean) {
  const asked: string[] = [];
  const scene = {
    settings: { role: "agent", units: "user" },
    run: (argv: readonly string[]) => {
      const isShow = argv.includes("show");
      if (!isShow) asked.push(argv.slice(-3).join(" "));
      const code = fails && argv.at(-1) === "openclaw-gateway.service" && !isShow ? 1 : 0;
      const untrustedOut = isShow ? `Id=${argv.at(-1)}\nLoadState=loaded\n` : "";
      return Promise.resolve({
        code,
        untrustedOut,
        untrustedErr: code === 0 ? "" : "no such thing",
      });
    },
  } as unknown as Scene;
  return { asked, ...await turn(scene, verb, PARTS) };
}

Deno.test("start goes from the proxy on; stop begins with the watchdog, so that it starts nothing again", async () => {
  const units = ["proxy", "gateway", "watchdog"].map((part) => `openclaw-${part}.service`);
  assertEquals((await turned("start", false)).asked, units.map((unit) => `start -- ${unit}`));
  const stopped = await turned("stop", false);
  assertEquals(stopped.asked, units.toReversed().map((unit) => `stop -- ${unit}`));
  assertMatch(stopped.text, /openclaw-proxy\.service: stopped/);
});

Deno.test("a unit that fails is named, with the command to try, and the others are done", async () => {
  const { ok, text, asked } = await turned("restart", true);
  assertEquals([ok, asked.length], [false, 3]);
  assertMatch(text, /gateway\.service: FAILED: no such thing/);
  assertMatch(text, /hint: try: systemctl --user restart openclaw-gateway\.service/);
});
