// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What of this VM outlives its shutdown, as Qubes itself decides it: by the words that qubesd
 * writes into the VM's QubesDB.
 *
 * @module
 */

import { UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";

/**
 * "app": a root volume that is made anew from the template at each start; /rw, and with it /home
 * and /usr/local, stays. "standalone": everything stays. "template": everything stays, and VMs
 * get its root volume, but not its /usr/local.
 */
export type VmKind = "app" | "standalone" | "template";

/** The answer of qubesdb-read; undefined where there is no such path. */
export type QubesDb = (path: string) => Promise<string | undefined>;

/** @throws {UserError} where nothing that is installed would last, or it cannot be known */
export async function readVmKind(ask: QubesDb): Promise<VmKind> {
  const persistence = await ask("/qubes-vm-persistence");
  // /type is the class; /qubes-vm-type says AppVM of a StandaloneVM too, but TemplateVM as it is.
  const type = await ask("/type") ?? await ask("/qubes-vm-type");
  switch (persistence) {
    case "full":
      return type === "TemplateVM" ? "template" : "standalone";
    case "rw-only":
      return "app";
    case "none":
      throw new UserError("this is a disposable: it forgets what is installed in it", [
        "install in the qube it is made from (its disposable template)",
      ]);
    case undefined:
      throw new UserError("QubesDB does not say what this VM keeps", [
        'this has to run in a Qubes VM: see "qubesdb-read /qubes-vm-persistence"',
      ]);
    default:
      throw new UserError(`unknown persistence in QubesDB: ${printable(persistence)}`);
  }
}

/** What a person calls it, and why that decides where files go. */
export const KIND_TEXT: Readonly<Record<VmKind, string>> = {
  app: "an AppVM: only /rw, /home and /usr/local outlive its shutdown",
  standalone: "a StandaloneVM: everything outlives its shutdown",
  template: "a template: its VMs get its /etc, but not its /usr/local",
};
