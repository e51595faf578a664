// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A request for the daemon of the Python original. It takes a body as soon as it sees one, so
 * the token is there before it and the body comes by rename. Its answers are not signed.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { dateMs } from "../../../shared/io/clock.ts";
import { ifPresent, readSmall } from "../../../shared/io/files.ts";
import { PRIVATE_FILE } from "../../../shared/io/private_modes.ts";
import { UserError } from "../../../shared/cli/program.ts";
import type { AuthKey } from "../../../shared/protocol/auth_key.ts";
import { asLatin1, utf8 } from "../../../shared/protocol/bytes.ts";
import type { ProcessCommand } from "../../../shared/protocol/command.ts";
import { MAX_META_BYTES } from "../../../shared/protocol/limits.ts";
import { EMPTY_STREAM, type Outcome } from "../../../shared/protocol/outcome.ts";
import { newRequestId } from "../../../shared/io/new_request_id.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { V1_NONCE, v1Token } from "../../../shared/protocol/v1.ts";
import type { Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { type Layout, resultPath } from "../files/layout.ts";
import { removeIfPresent } from "../../../shared/io/sync_files.ts";
import { writeOwned } from "../files/owned_file.ts";
import { shellQuote } from "../../../shared/protocol/command.ts";

/** The original writes "meta" after "exit". */
const META_WAIT_MS = 1_000;
const META_POLL_MS = 50;
/** The original refuses these without any answer, so the client would wait for ever. */
// deno-lint-ignore no-control-regex
const REFUSED_BYTES = /[\x00-\x08\x0b\x0c\x0e-\x1f]/;

export async function createRequestV1(
  layout: Layout,
  key: AuthKey,
  command: ProcessCommand,
): Promise<Exchange> {
  const script = command.mode === "script" ? command.script : utf8(shellQuote(command.argv) + "\n");
  if (REFUSED_BYTES.test(asLatin1(script))) {
    throw new UserError("protocol 1 does not carry control characters");
  }
  const id = newRequestId(dateMs());
  const token = await v1Token(key, id);
  const pending = `${layout.pending}/${id}`;
  return {
    id,
    canCancel: false,
    signsOutput: false,
    async publish() {
      const temporary = `${layout.queue}/.${id}.new`;
      const file = await writeOwned(layout, temporary, script);
      const options = { createNew: true, mode: PRIVATE_FILE };
      Deno.writeFileSync(`${pending}.cmd`, script, options);
      Deno.writeTextFileSync(`${pending}.auth`, token, options);
      Deno.renameSync(temporary, pending);
      return file;
    },
    isPending: () => false, // the original does not tell whether dom0 is connected
    withdraw() {
      const wasThere = removeIfPresent(pending);
      removeCompanions(pending); // even if it was taken: an answer to remove it may never come
      return wasThere;
    },
    cancel() {},
    async answer() {
      removeCompanions(pending);
      return await readV1Answer(layout, id);
    },
  };
}

function removeCompanions(pending: string): void {
  removeIfPresent(`${pending}.auth`);
  removeIfPresent(`${pending}.cmd`);
}

async function readV1Answer(layout: Layout, id: RequestId): Promise<Answer> {
  const exit = asLatin1(await readSmall(resultPath(layout, id, "exit"), 8)).trim();
  if (!/^-?[0-9]{1,3}$/.test(exit)) {
    return { kind: "invalid", why: "the exit code in the answer is not a number", hints: [] };
  }
  const code = Number(exit);
  const outcome: Outcome = {
    id,
    nonce: V1_NONCE,
    kind: "done",
    reason: null,
    startedAtMs: null,
    exitCode: (code < 0 ? 128 - code : code) & 0xff, // the original writes -9 for SIGKILL
    durationMs: await readDurationMs(layout, id),
    out: EMPTY_STREAM,
    err: EMPTY_STREAM,
  };
  return { kind: "valid", outcome, signed: false };
}

async function readDurationMs(layout: Layout, id: RequestId): Promise<number> {
  for (let waitedMs = 0; waitedMs < META_WAIT_MS; waitedMs += META_POLL_MS) {
    const meta = await ifPresent(readSmall(resultPath(layout, id, "meta"), MAX_META_BYTES));
    const duration = /^duration_ms=([0-9]{1,15})$/m.exec(asLatin1(meta ?? new Uint8Array(0)))?.[1];
    if (duration !== undefined) return Number(duration);
    await delay(META_POLL_MS);
  }
  return 0;
}
