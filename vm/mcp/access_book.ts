// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What this VM may do, as dom0's daemon says it: asked for when a client wants the list of tools, and
 * now and then while one works; never while nothing happens.
 *
 * @module
 */

import { spanMs } from "../../shared/io/clock.ts";
import type { Layout } from "../remote/files/layout.ts";
import { type Access, readAccess } from "../remote/client/access.ts";

export interface AccessBook {
  /** Asks dom0. @throws {NoAnswerError|UserError} */
  read(): Promise<Access>;
  /** What was read last; null before. */
  last(): Access | null;
  /** Whether it is worth asking again; after a refusal, which may be news, sooner. */
  isOld(wasRefused: boolean): boolean;
}

/** While a client works, a change of the policy shows after this time or sooner. */
const FRESH_MS = 30_000;
/** However often it is refused. */
const REFUSED_MS = 2_000;
const ANSWER_MS = 8_000;

export function createAccessBook(layout: Layout, onChange: () => void): AccessBook {
  let last: Access | null = null;
  let readAtMs = -Infinity;
  let reading: Promise<Access> | null = null;
  const readNow = async (): Promise<Access> => {
    const access = await readAccess(layout, ANSWER_MS);
    const isChanged = last !== null && decisionsOf(last) !== decisionsOf(access);
    last = access;
    readAtMs = spanMs();
    if (isChanged) onChange();
    return access;
  };
  return {
    read: () => reading ??= readNow().finally(() => reading = null),
    last: () => last,
    isOld: (wasRefused) => spanMs() - readAtMs > (wasRefused ? REFUSED_MS : FRESH_MS),
  };
}

function decisionsOf(access: Access): string {
  return [...access.values()].map(({ name, decision }) => `${name}=${decision}`).join(" ");
}
