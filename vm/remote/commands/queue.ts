// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote queue …`: what waits, what runs, what was left behind. @module */

import { EXIT_OK } from "../../../shared/cli/program.ts";
import { audit } from "../files/audit_log.ts";
import type { Given } from "./cli_words.ts";
import { type Layout, prepareFolders } from "../files/layout.ts";
import { cleanQueue, recoverQueue } from "../files/queue_clean.ts";
import { countQueue, listQueue } from "../files/queue_list.ts";
import { asLine, print } from "./print.ts";

/** More than a person reads. */
const MAX_LISTED_ENTRIES = 10_000;

export async function queueStatus(layout: Layout, given: Given): Promise<number> {
  const counts = await countQueue(layout);
  const { pending, running, results } = counts;
  print(given, counts, `pending  ${pending}\nrunning  ${running}\nresults  ${results}\n`);
  return EXIT_OK;
}

export async function queueClean(layout: Layout, given: Given): Promise<number> {
  await prepareFolders(layout);
  const recovered = given.has("force") ? await recoverQueue(layout) : 0;
  const { removed, archived } = await cleanQueue(layout);
  audit(layout, `QUEUE-CLEAN removed=${removed} archived=${archived} recovered=${recovered ?? 0}`);
  const left = recovered === null ? "requests in running/ stay: dom0 is connected\n" : "";
  print(
    given,
    { removed, archived, recovered: recovered ?? 0, session: recovered === null },
    `removed    ${removed}\narchived   ${archived}\n` +
      (given.has("force") ? `recovered  ${recovered ?? 0}\n` : "") + left,
  );
  return EXIT_OK;
}

export async function queueDebug(layout: Layout, given: Given): Promise<number> {
  const entries = await listQueue(layout, MAX_LISTED_ENTRIES);
  const lines = entries.map(({ folder, untrustedName, bytes, ageSeconds, owned }) => {
    const owner = owned === null ? "" : owned ? "  client waits" : "  no client";
    const size = `${bytes} B`.padStart(10);
    return `${folder.padEnd(8)} ${size} ${`${ageSeconds} s`.padStart(8)}  ${
      asLine(untrustedName)
    }${owner}\n`;
  });
  const json = entries.map(({ folder, untrustedName, bytes, ageSeconds, owned }) => ({
    folder,
    name: untrustedName,
    bytes,
    age_seconds: ageSeconds,
    owned,
  }));
  print(given, { entries: json }, lines.join("") || "the queue is empty\n");
  return EXIT_OK;
}
