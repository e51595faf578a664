// SPDX-License-Identifier: GPL-2.0-or-later
/** Nothing gets in: a hostile VM against the daemon, while another VM goes on working. @module */

import { assert, assertEquals } from "@std/assert";
import {
  type Attack,
  REFUSED_BY_CONTENT,
  REFUSED_BY_DATE_OR_REPLAY,
  type Scene,
  TOO_MANY_REFUSALS,
  VIOLATIONS,
} from "./hostile_attacks.ts";
import {
  assertCleanRecords,
  assertPrompt,
  assertSmall,
  awaitRecord,
  keepAsking,
  tracesIn,
} from "./hostile_scene.ts";
import { sealScript } from "./attack_request.ts";
import { parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import { hostileVm } from "./hostile_vm.ts";
import { install, type Installed, readAudit } from "./installed.ts";

async function stolenKey({ world }: Installed, vm: string): Promise<Scene["other"]> {
  const text = await Deno.readTextFile(`${world.vmHome(vm)}/.qvm-remote/auth.key`);
  return { vm: parseVmName(vm), key: await parseAuthKey(text) };
}

Deno.test("a hostile VM's stream gets nothing in", async (t) => {
  await using qubes = await install(
    ["calm", "forger", "replayer", "breaker"].map((name) => ({ name })),
  );
  await qubes.authorize("calm");
  const stolen = await stolenKey(qubes, "calm");
  await using forger = await hostileVm(qubes, "forger");
  await using replayer = await hostileVm(qubes, "replayer");
  await using breaker = await hostileVm(qubes, "breaker");
  const daemon = await qubes.startDaemon(["calm"]);
  const traces = await tracesIn(qubes);
  const calm = keepAsking(qubes, "calm");

  const plays: readonly [typeof forger, readonly Attack[]][] = [
    [replayer, REFUSED_BY_DATE_OR_REPLAY],
    [forger, REFUSED_BY_CONTENT],
    [forger, TOO_MANY_REFUSALS],
    [breaker, VIOLATIONS],
  ];
  let attacks = 0;
  for (const [hostile, table] of plays) {
    for (const { name, expect, play } of table) {
      await t.step(`${name}: ${Object.values(expect).at(-1)}`, async () => {
        const number = ++attacks;
        const scene: Scene = {
          ...hostile,
          other: stolen,
          script: traces.script(`never-${number}`),
          once: traces.script(`once-${number}`),
        };
        const before = readAudit(qubes.world).length;
        await play(scene);
        await awaitRecord(qubes, { ...expect, vm: hostile.vm }, before);
      });
    }
  }
  await t.step("none of their commands ran, none that may ran twice", () => {
    assert(attacks >= 90, `${attacks}: attacks were lost`);
    const seen = [...traces.seen()];
    assert(seen.length === 6, `traces: ${JSON.stringify(seen)}`);
    assertEquals(seen.filter(([name, times]) => !name.startsWith("once-") || times !== 1), []);
  });
  await t.step("the other VM was served all the time", async () => {
    assertPrompt(await calm.stop());
  });
  await t.step("a control: the same request, left as it is, runs", async () => {
    const session = await replayer.session();
    await session.greet();
    const envelope = await sealScript(replayer.vm, replayer.key, traces.script("control"));
    await session.say({ kind: "request", seq: 1, envelope });
    const { outcome } = await session.next("outcome");
    assertEquals([outcome.kind, traces.seen().get("control")], ["done", 1]);
  });
  await t.step("the daemon stayed small, its records clean", async () => {
    assertSmall(daemon);
    await assertCleanRecords(qubes, daemon);
  });
  assertEquals(await daemon.stop(), 0);
});
