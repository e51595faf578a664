// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What rules and lists rest on: which qubes there are, their classes, and who has which tag. It
 * comes from Qubes' own tools and is kept only while qubesd has saved nothing since: qubesd writes
 * its store anew with each change, so a store that is the same file still says the same. (app.py,
 * save(), in qubes-core-admin.)
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
  /** Another text after each change; null if it cannot be told. */
  readonly stamp: () => string | null;
  /** @throws if it cannot be learned */
  readonly read: (tags: ReadonlySet<string>) => Promise<Inventory>;
}

export interface KnownQubes extends QubeFacts {
  /** null: it could not be learned. */
  readonly inventory: Inventory | null;
}

/** Nothing rests on what is not known. */
const UNKNOWN: KnownQubes = { inventory: null, tagsOf: () => null, typeOf: () => null };
/** A change while it is read makes it worthless; changes that go on and on make it unknown. */
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

/** A name that there is not has no tags and no class: no rule is about it but "*". */
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
