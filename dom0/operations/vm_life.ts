// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Creating, running and removing qubes. Sources: qvm_ls.py, qvm_create.py, qvm_clone.py, qvm_start.py,
 * qvm_shutdown.py, qvm_kill.py, qvm_pause.py, qvm_unpause.py, qvm_remove.py in
 * qubes-core-admin-client 4.2 and 4.4.
 *
 * @module
 */

import { type Definition } from "./operation.ts";
import { optional, required } from "./parameter.ts";
import { NAMES, NOTHING, rows } from "./result.ts";

const LIST_COLUMNS = ["name", "state", "class", "label", "template", "netvm"] as const;
const INFO_COLUMNS = [
  ...LIST_COLUMNS,
  "memory",
  "maxmem",
  "vcpus",
  "autostart",
  "provides_network",
  "disk",
  "ip",
] as const;

export const VM_LIFE: Readonly<Record<string, Definition>> = {
  "vm.list": {
    summary: "List the qubes with state, class, label, template and netvm",
    level: "monitor",
    lists: true,
    run: `qvm-ls --raw-data --fields=${LIST_COLUMNS.join(",")}`,
    result: rows(...LIST_COLUMNS),
  },
  "vm.names": {
    summary: "List the names of the qubes",
    level: "monitor",
    lists: true,
    run: "qvm-ls --raw-list",
    result: NAMES,
  },
  "vm.info": {
    summary: "Show the main settings of one qube",
    level: "monitor",
    parameters: { vm: required("qube", "the qube") },
    run: `qvm-ls --raw-data --fields=${INFO_COLUMNS.join(",")} {vm}`,
    result: rows(...INFO_COLUMNS),
  },
  "vm.create": {
    summary: "Create a qube",
    level: "manage",
    parameters: {
      vm: required("qube", "the name of the new qube"),
      label: required("label", "its label, such as red"),
      template: optional("qube", "its template; the default one if not given"),
      class: optional("qubeClass", "its class; AppVM if not given"),
    },
    run: "qvm-create [--class|-C={class}] [--template|-t={template}] --label|-l={label} {vm}",
    result: NOTHING,
  },
  "vm.clone": {
    summary: "Copy a qube under a new name",
    level: "manage",
    parameters: {
      vm: required("qube", "the qube that is copied"),
      new_vm: required("qube", "the name of the copy"),
    },
    run: "qvm-clone {vm} {new_vm}",
    result: NOTHING,
  },
  "vm.start": {
    summary: "Start a qube",
    level: "manage",
    parameters: {
      vm: required("qube", "the qube"),
      skip_if_running: optional("flag", "do nothing if it runs already"),
    },
    run: "qvm-start [--skip-if-running] {vm}",
    result: NOTHING,
  },
  "vm.shutdown": {
    summary: "Shut a qube down",
    level: "manage",
    parameters: {
      vm: required("qube", "the qube"),
      wait: optional("flag", "wait until it is off"),
      force: optional("flag", "even if other qubes use it"),
    },
    run: "qvm-shutdown [--wait] [--force] {vm}",
    destructive: true,
    result: NOTHING,
  },
  "vm.restart": {
    summary: "Shut a qube down and start it again",
    level: "manage",
    parameters: { vm: required("qube", "the qube") },
    run: ["qvm-shutdown --wait {vm}", "qvm-start {vm}"],
    destructive: true,
    result: NOTHING,
  },
  "vm.kill": {
    summary: "End a qube at once, as if its power was cut",
    level: "manage",
    parameters: { vm: required("qube", "the qube") },
    run: "qvm-kill {vm}",
    destructive: true,
    result: NOTHING,
  },
  "vm.pause": {
    summary: "Stop a running qube where it is",
    level: "manage",
    parameters: { vm: required("qube", "the qube") },
    run: "qvm-pause {vm}",
    result: NOTHING,
  },
  "vm.unpause": {
    summary: "Let a paused qube go on",
    level: "manage",
    parameters: { vm: required("qube", "the qube") },
    run: "qvm-unpause {vm}",
    result: NOTHING,
  },
  "vm.rename": {
    summary: "Give a qube another name: it is copied, then the original is removed",
    level: "manage",
    parameters: {
      vm: required("qube", "the qube, shut down"),
      new_vm: required("qube", "its new name"),
    },
    run: ["qvm-clone {vm} {new_vm}", "qvm-remove --force {vm}"],
    destructive: true,
    result: NOTHING,
  },
  "vm.remove": {
    summary: "Remove a qube and all its data",
    level: "manage",
    parameters: { vm: required("qube", "the qube, shut down") },
    run: "qvm-remove --force|-f {vm}",
    destructive: true,
    result: NOTHING,
  },
};
