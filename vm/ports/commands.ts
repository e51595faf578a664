// SPDX-License-Identifier: GPL-2.0-or-later
/** install, remove and status of openclaw-ports. @module */

import { dirname } from "@std/path/posix/dirname";
import { exists } from "../../shared/io/files.ts";
import type { TcpPort } from "../../shared/io/tcp_port.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { applyPlan, type Change, type Place, removeAll } from "./apply.ts";
import { chooseForm } from "./link_support.ts";
import { type Form, MUX_PROGRAM, PER_VM_PROGRAM, planFiles } from "./service_files.ts";
import { type PortStatus, readStatus } from "./status.ts";
import { KIND_TEXT, type VmKind } from "./vm_kind.ts";

type Print = (text: string) => void;

export interface InstallOptions {
  readonly kind: VmKind;
  readonly ports: readonly TcpPort[];
  readonly form: Form | undefined;
  readonly place: Place;
  readonly print: Print;
  readonly warn: Print;
}

const FORM_TEXT: Readonly<Record<Form, string>> = {
  link: "links that the qrexec agent serves",
  script: "scripts",
  "per-vm": "to openclaw-proxy's sockets, one for each VM",
};

/** @throws {UserError} if someone else's file is in the way, or links cannot work */
export async function runInstall(options: InstallOptions): Promise<void> {
  const { kind, ports, place, print, warn } = options;
  const { form, because } = await chooseForm(place.root, options.form);
  const plan = planFiles(kind, form, ports);
  print(`this is ${KIND_TEXT[kind]}: ports are in ${plan.portFolder}\n`);
  print(`${FORM_TEXT[form]}: ${because}\n`);
  printChanges(await applyPlan(plan, place), place, print);
  for (const text of await doubts(kind, form, place.root)) warn(`warning: ${text}`);
}

export async function runRemove(
  { kind, place, print }: Pick<InstallOptions, "kind" | "place" | "print">,
): Promise<void> {
  const changes = await removeAll(kind, place);
  if (changes.length === 0) return print("nothing was installed\n");
  printChanges(changes, place, print);
  print("other ports are served by what the distribution installs, if the policy allows it\n");
}

/** @returns whether every port that is not listed is refused */
export async function runStatus(
  { kind, root, json, print }: {
    readonly kind: VmKind;
    readonly root: string;
    readonly json: boolean;
    readonly print: Print;
  },
): Promise<boolean> {
  const status = await readStatus(root, kind);
  print(json ? JSON.stringify(jsonStatus(status)) + "\n" : textStatus(status));
  return status.whitelisted;
}

const WORDS: Readonly<Record<Change["what"], readonly [done: string, planned: string]>> = {
  written: ["wrote", "would write"],
  kept: ["is there", "is there"],
  removed: ["removed", "would remove"],
  foreign: ["left, not ours:", "would leave, not ours:"],
};

function printChanges(changes: readonly Change[], { dryRun }: Place, print: Print): void {
  for (const { path, what } of changes) {
    print(`${WORDS[what][dryRun ? 1 : 0]} ${/^[\w+.\/-]+$/.test(path) ? path : printable(path)}\n`);
  }
}

/** Files that are right but will not work, or not do what they seem to. */
async function doubts(kind: VmKind, form: Form, root: string): Promise<readonly string[]> {
  const found: string[] = [];
  if (form !== "link" && !await exists(`${root}/usr/bin/socat`)) {
    found.push("the scripts need socat, which is not installed");
  }
  const program = form === "per-vm" ? PER_VM_PROGRAM : MUX_PROGRAM;
  if (!await exists(root + program)) {
    found.push(`${program} is not installed: each connection takes a qrexec call of its own`);
  }
  if (kind === "app" && await exists(`${root}/run/qubes-service/custom-persist`)) {
    found.push(
      "this VM has the service custom-persist: /usr/local stays only if dom0 lists it, " +
        'see "qvm-features VM"; wanted is custom-persist.usrlocal=/usr/local',
    );
  }
  if (kind === "template") {
    found.push("ports are refused in every VM of this template, from its next start on");
  }
  return found;
}

function jsonStatus({ kind, open, others, whitelisted }: PortStatus): unknown {
  return {
    kind,
    whitelisted,
    open: open.map(({ untrustedPort, servedBy, perVm, ...rest }) => ({
      ...rest,
      port: untrustedPort,
      served_by: servedBy,
      per_vm: perVm,
    })),
    others,
  };
}

function textStatus({ kind, open, others, whitelisted }: PortStatus): string {
  const lines = [`this is ${KIND_TEXT[kind]}`];
  for (const { service, untrustedPort, path, servedBy, perVm, ours } of open) {
    const port = /^[0-9]{1,5}$/.test(untrustedPort) ? untrustedPort : printable(untrustedPort);
    const note = `${servedBy}${perVm ? ", per VM" : ""}${ours ? "" : ", not ours"}`;
    const word = servedBy === "nothing" ? "missing" : "open   "; // then the call is refused
    lines.push(`${word}  ${service}+${port} (${note}, in ${dirname(path)})`);
  }
  for (const { service, path, refused } of others) {
    const by = path !== null
      ? `by ${path}`
      : refused
      ? "there is no such service"
      : "by nothing of ours";
    lines.push(`${refused ? "refused" : "OPEN   "}  ${service}, every other port (${by})`);
  }
  lines.push(whitelisted ? "the whitelist holds" : "the whitelist does not hold: install it");
  return lines.join("\n") + "\n";
}
