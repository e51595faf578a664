// SPDX-License-Identifier: GPL-2.0-or-later
/** The daemon begins nothing new as long as somebody holds a lease, and no longer. @module */

import { assertEquals } from "@std/assert";
import { createDraining } from "../../../dom0/daemon/draining.ts";
import { createAdmission } from "../../../dom0/judge/admission.ts";
import { leaseFile, takeLease } from "../../../dom0/operator/lease.ts";
import { namesIn, until, withFolder } from "../fixture.ts";

Deno.test("draining: held by a lock that is a living program's, once for each lease", () =>
  withFolder(async (folder) => {
    const admission = createAdmission();
    const events: string[] = [];
    const running = ["work 1", "dom0 2"];
    const drain = createDraining({
      ordersFolder: folder,
      admission,
      open: () => running,
      audit: {
        record: (event, { by }) => void events.push(`${event} ${by}`),
        sync: () => Promise.resolve(),
        close() {},
      },
    });
    const nobody = "0".repeat(32);
    assertEquals(await drain(nobody, "ann"), { ok: false, text: "there is no such lease" });
    Deno.writeTextFileSync(leaseFile(folder, nobody), "");
    assertEquals(await drain(nobody, "ann"), { ok: false, text: "nobody holds that lease" });
    Deno.removeSync(leaseFile(folder, nobody));
    assertEquals(admission.closed(), null);

    const lease = takeLease(folder);
    assertEquals(await drain(lease.name, "ann"), { ok: true, text: "work 1\ndom0 2" });
    running.length = 0;
    assertEquals(await drain(lease.name, "ann"), { ok: true, text: "" });
    assertEquals([admission.closed() === null, events], [false, ["draining ann"]]);
    lease[Symbol.dispose]();
    lease[Symbol.dispose]();
    await until("it begins again", () => admission.closed() === null);
    assertEquals([events, namesIn(folder)], [["draining ann", "drained ann"], []]);
  }));
