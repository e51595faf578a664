// SPDX-License-Identifier: GPL-2.0-or-later
/** At most once, and always an answer, whatever is killed at whatever moment. */
import { assert, assertEquals } from "@std/assert";
import { complaintsAboutRequests, createChaos } from "./chaos.ts";
import { install } from "./installed.ts";
import { untilNothingRuns } from "./seen_processes.ts";

const VMS = ["work", "lab", "mail", "web"] as const;
const ROUNDS = Number(Deno.env.get("QVM_REMOTE_ROUNDS") ?? 23);
const SEED = Number(Deno.env.get("QVM_REMOTE_SEED") ?? Date.now() % 1_000_000);
const SETTLE_LIMIT_MS = 90_000;
const LEDGER_LINE = /^[0-9]+ 2 ([a-z]+ [0-9a-f-]+)( [0-9a-f]{32})?$/;

Deno.test(`${ROUNDS} rounds of kills: at most once, always an answer`, async () => {
  await using qubes = await install(VMS.map((name) => ({ name })));
  const { world } = qubes;
  for (const vm of VMS) await qubes.authorize(vm);
  const chaos = await createChaos(qubes, VMS, SEED);
  const told = (): string => {
    const kills = [...chaos.kills].map(([victim, count]) => `${victim} ${count}`).join(", ");
    const total = [...chaos.kills.values()].reduce((sum, count) => sum + count, 0);
    return `seed ${SEED}: ${total} kills (${kills}), ${chaos.published.size} requests, ` +
      `${chaos.clients} of them by clients`;
  };
  try {
    for (let round = 0; round < ROUNDS; round++) await chaos.round();
    await chaos.settle(SETTLE_LIMIT_MS);
    assertEquals(await chaos.daemon().stop(), 0);
    assertEquals([...chaos.complaints, ...await complaintsAboutRequests(qubes, chaos)], []);
    const { code, stdout } = await qubes.dom0(["audit", "verify"]);
    assertEquals(code, 0, stdout);
    checkLedger(await Deno.readTextFile(`${world.dom0Root}/var/lib/qvm-remote/ledger`));
    await untilNothingRuns(world);
    assertEquals([...Deno.readDirSync(`${world.dom0Root}/run/qvm-remote/work`)], []);
  } catch (error) {
    throw new Error(`${told()}\n${error instanceof Error ? error.message : error}`);
  }
  const kills = [...chaos.kills.values()].reduce((sum, count) => sum + count, 0);
  assert(kills >= 8 * ROUNDS, told());
  console.log(told());
});

/** Whole lines, and no request in two of them. */
function checkLedger(text: string): void {
  const seen = new Set<string>();
  for (const line of text.trimEnd().split("\n")) {
    if (/^(forgotten|answered) /.test(line)) continue;
    const [, request = ""] = LEDGER_LINE.exec(line) ?? [];
    assert(request !== "" && !seen.has(request), `in the ledger: ${line}`);
    seen.add(request);
  }
}
