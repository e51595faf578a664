// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What waits for a person, as files for the operator's programs, in /run/qvm-remote/parked:
 *
 *     <vm>-<id>.json   what a person is shown
 *     <vm>-<id>.body   the script, if it is one, byte for byte
 *
 * @module
 */

import { PRIVATE_FILE, PRIVATE_FOLDER } from "../../shared/io/private_modes.ts";
import {
  isPresent,
  readIfPresent,
  removeIfPresent,
  replaceFile,
} from "../../shared/io/sync_files.ts";
import type { ParkedView } from "./parked_view.ts";

type Name = Pick<ParkedView, "vm" | "id">;

export interface ParkedFiles {
  /** The script comes first: who sees a view can see the script. */
  putBody(name: Name, script: Uint8Array): void;
  put(view: ParkedView): void;
  /** null: it is not a script, or no longer waits. */
  body(name: Name): Uint8Array | null;
  remove(name: Name): void;
}

/** Nothing waits when a daemon starts, so what an earlier one left there is removed. */
export function createParkedFiles(folder: string): ParkedFiles {
  if (isPresent(folder)) Deno.removeSync(folder, { recursive: true });
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  const base = ({ vm, id }: Name): string => `${folder}/${vm}-${id}`;
  return {
    putBody: (name, script) =>
      Deno.writeFileSync(`${base(name)}.body`, script, { mode: PRIVATE_FILE }),
    put: (view) => replaceFile(`${base(view)}.json`, JSON.stringify(view) + "\n"),
    body: (name) => readIfPresent(`${base(name)}.body`) ?? null,
    remove(name) {
      removeIfPresent(`${base(name)}.json`);
      removeIfPresent(`${base(name)}.body`);
    },
  };
}
