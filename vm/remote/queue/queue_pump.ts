// SPDX-License-Identifier: GPL-2.0-or-later
/** Sends what waits, in order, as far as dom0's credit allows. @module */

import type { VmSession } from "../../../shared/protocol/vm_session.ts";
import type { Layout } from "../files/layout.ts";
import { idOfName } from "../files/queue_entry.ts";
import { after } from "../files/timer.ts";
import { createNameList, type NameList } from "./name_list.ts";
import type { QueueCourier } from "./queue_courier.ts";

/** Entries handled before the event loop gets its turn. */
const ENTRIES_PER_TURN = 32;

export interface PumpPorts {
  readonly layout: Layout;
  readonly session: Pick<VmSession, "hasCredit">;
  readonly courier: Pick<QueueCourier, "take" | "takeAgain">;
  /** The names in pending/, as far as they are known. */
  readonly waiting: NameList;
  /** Reads pending/ again. */
  readonly rescan: () => void;
  /** Runs work of a timer; what it throws ends the session. */
  readonly guarded: (work: () => void) => void;
}

export interface Pump {
  /** dom0 has said hello: what an earlier session left goes first. */
  begin(): void;
  hasBegun(): boolean;
  /** All names of pending/ are known now. */
  scanned(): void;
  /** Sends what waits. */
  run(): void;
  stop(): void;
}

export function createPump(ports: PumpPorts): Pump {
  const { layout, session, courier, waiting, rescan, guarded } = ports;
  const left = createNameList(); // in running/ since before this session
  let ready = false;
  let isScanned = false; // before that, the smallest name is not known
  let stopTurn = (): void => {};
  const run = (): void => {
    stopTurn();
    for (let count = 0; ready && session.hasCredit(); count++) {
      if (count === ENTRIES_PER_TURN) {
        stopTurn = after(0, () => guarded(run));
        return;
      }
      const again = left.take();
      const id = again ?? (isScanned ? waiting.take() : undefined);
      if (id === undefined) break;
      if (again !== undefined) courier.takeAgain(id);
      else courier.take(id);
    }
    if (waiting.size() === 0 && waiting.incomplete()) rescan();
  };
  return {
    begin() {
      for (const { name } of Deno.readDirSync(layout.running)) {
        const id = idOfName(name);
        if (id !== undefined) left.add(id);
      }
      ready = true;
      rescan();
    },
    hasBegun: () => ready,
    scanned() {
      isScanned = true;
      run();
    },
    run,
    stop() {
      ready = false;
      stopTurn();
    },
  };
}
