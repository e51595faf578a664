// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The starts of one build beside those of others, in one run, as multiples of an empty script's:
 *
 *     deno run -A tests/bench/measure-starts.ts BUILT [OTHER-BUILT...]
 *
 * BUILT is a folder as "make dom0 vm" makes it.
 *
 * @module
 */

import { multiplesOfEmpty, STARTS_BEFORE } from "./starts.ts";

for (const program of STARTS_BEFORE.keys()) {
  const multiples = await multiplesOfEmpty(Deno.args.map((built) => `${built}/${program}.js`));
  console.log(program, multiples.map((multiple) => multiple.toFixed(3)).join(" "));
}
