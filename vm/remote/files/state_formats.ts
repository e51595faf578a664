// SPDX-License-Identifier: GPL-2.0-or-later
/** What a VM's user keeps in ~/.qvm-remote, and in which form this program writes it. @module */

import { RECORD_VERSION } from "../../../shared/setup/record.ts";
import { noteFormats, refuseNewer, type StateFormat } from "../../../shared/io/state_formats.ts";

/** Of layout.ts, which makes use of this. */
interface Places {
  readonly formats: string;
  readonly key: string;
  readonly name: string;
  readonly queue: string;
  readonly history: string;
  readonly detached: string;
  readonly audit: string;
  readonly migration: string;
}

/** Who changes the form of one of these raises its version here, and reads the older form, too. */
export function stateFormats(places: Places): readonly StateFormat[] {
  return [
    { name: "key", version: 1, paths: [places.key, places.name] },
    { name: "queue", version: 2, paths: [places.queue] },
    { name: "history", version: 1, paths: [places.history] },
    { name: "detached", version: 1, paths: [places.detached] },
    { name: "log", version: 1, paths: [places.audit] },
    { name: "migration", version: RECORD_VERSION, paths: [places.migration] },
  ];
}

/** @throws {ConfigError} a newer program was here */
export async function refuseNewerState(places: Places): Promise<void> {
  await refuseNewer(places.formats, stateFormats(places));
}

export async function noteState(places: Places): Promise<void> {
  await noteFormats(places.formats, stateFormats(places));
}
