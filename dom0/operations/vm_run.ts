// SPDX-License-Identifier: GPL-2.0-or-later
/** Running something in another qube. Source: qvm_run.py in qubes-core-admin-client. @module */

import { type Definition } from "./operation.ts";
import { optional, required } from "./parameter.ts";
import { OWN_TEXT } from "./result.ts";

const vm = required("qube", "the qube");

export const VM_RUN: Readonly<Record<string, Definition>> = {
  "vm.run": {
    summary: "Run a command in a qube that runs, and show what it prints",
    level: "full",
    parameters: {
      vm,
      user: optional("user", "as this user of the qube"),
      command: required("command", "one line for the shell of that qube"),
    },
    run:
      "qvm-run --pass-io|-p --no-gui|--nogui --no-autostart|--no-auto|-n [--user|-u={user}] {vm} {command}",
    alsoSpelled: [
      "qvm-run --pass-io|-p --no-autostart|--no-auto|-n [--user|-u={user}] {vm} {command}",
    ],
    data: "may",
    destructive: true,
    result: OWN_TEXT,
  },
  "disposable.run": {
    summary: "Run a command in a new disposable, show what it prints, and remove it",
    level: "full",
    parameters: {
      template: required("qube", "the disposable template that it is made from"),
      command: required("command", "one line for its shell"),
    },
    run: "qvm-run --dispvm={template} --pass-io|-p --no-gui|--nogui {command}",
    data: "may",
    destructive: true,
    result: OWN_TEXT,
  },
  "vm.service": {
    summary: "Call a qrexec service of a qube that runs, and show what it answers",
    level: "full",
    parameters: {
      vm,
      service: required("rpcService", "the service, with +ARGUMENT if it has one"),
    },
    run: "qvm-run --service --pass-io|-p --no-autostart|--no-auto|-n {vm} {service}",
    data: "may",
    destructive: true,
    result: OWN_TEXT,
  },
};
