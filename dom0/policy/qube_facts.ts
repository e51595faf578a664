// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The facts that rules and lists rest on: the qubes, their classes and their tags. They come from
 * Qubes' own tools and are kept until qubesd saves again: it writes a new store file with each change,
 * so while the file is the same one, nothing has changed. (app.py, save(), in qubes-core-admin.)
 *
 * @module
 */

import type { QubeFacts } from "./rule.ts";

export interface Inventory {
  /** The class of each qube, by name. */
  readonly types: ReadonlyMap<string, string>;
  /** The names of those that have it, for each tag that was asked for. */
  readonly tagged: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface FactsSource {
  /** A different text after each change; null if that cannot be told. */
  readonly stamp: () => string | null;
  /** @throws if it cannot be learned */
  readonly read: (tags: ReadonlySet<string>) => Promise<Inventory>;
}

export interface KnownQubes extends QubeFacts {
  /** null: it could not be learned. */
  readonly inventory: Inventory | null;
}

/** What is not known allows nothing. */
const UNKNOWN: KnownQubes = { inventory: null, tagsOf: () => null, typeOf: () => null };
/** After a change during the reading it is read again; after too many, the facts count as unknown. */
const MAX_READS = 3;

/** @returns what is known now, with these tags at least; reads only what may have changed */
export function createQubeFacts(
  source: FactsSource,
): (tags: ReadonlySet<string>) => Promise<KnownQubes> {
  let kept: { readonly stamp: string; readonly known: KnownQubes } | null = null;
  let reading: Promise<KnownQubes> | null = null;
  let asked = new Set<string>();

  const isKept = (tags: ReadonlySet<string>): boolean =>
    kept !== null && kept.stamp === source.stamp() &&
    [...tags].every((tag) => kept?.known.inventory?.tagged.has(tag));
  const readAll = async (): Promise<KnownQubes> => {
    for (let reads = 0; reads < MAX_READS; reads++) {
      const tags = new Set(asked);
      const stamp = source.stamp();
      const known = await source.read(tags).then(factsOf, () => null);
      if (known === null) return UNKNOWN;
      if (stamp === null || stamp !== source.stamp() || asked.size > tags.size) continue;
      kept = { stamp, known };
      return known;
    }
    return UNKNOWN;
  };
  return async (tags) => {
    if (isKept(tags) && kept !== null) return kept.known;
    asked = new Set([...asked, ...tags]);
    reading ??= readAll().finally(() => reading = null);
    return await reading;
  };
}

const NO_TAGS: ReadonlySet<string> = new Set();

/** A name that does not exist has no tags and no class: only "*" matches it. */
function factsOf(inventory: Inventory): KnownQubes {
  const tags = new Map<string, Set<string>>();
  for (const [tag, names] of inventory.tagged) {
    for (const name of names) tags.set(name, (tags.get(name) ?? new Set()).add(tag));
  }
  return {
    inventory,
    tagsOf: (qube) => tags.get(qube) ?? NO_TAGS,
    typeOf: (qube) => inventory.types.get(qube) ?? "",
  };
}
