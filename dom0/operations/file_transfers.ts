// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Files between dom0 and qubes, and from qube to qube, as dom0's operator copies them. What runs is
 * dom0's own: dom0/run/transfer_programs.ts.
 *
 * Two places are involved, and a rule of the policy names one: so no rule gives these to a VM.
 *
 * @module
 */

import { type Definition } from "./operation.ts";
import { optional, required } from "./parameter.ts";
import { FILE_LIST, NAMED_VALUES } from "./result.ts";

const to = optional(
  "qubePath",
  "the new file in that qube; by default of the same name in ~/QubesIncoming/, as qvm-copy does it",
);

const COPYING = {
  level: "manage",
  result: NAMED_VALUES,
  isForOperator: true,
} as const;

export const FILE_TRANSFERS: Readonly<Record<string, Definition>> = {
  "file.browse": {
    summary: "List what is in a folder of a qube that runs: type, size, permissions, time, name",
    level: "monitor",
    parameters: {
      vm: required("qube", "the qube"),
      folder: required("qubePath", "the folder in it, from / or ~ on"),
    },
    run: "file-browse {vm} {folder}",
    result: FILE_LIST,
    isForOperator: true,
  },
  "file.fetch": {
    ...COPYING,
    summary: "Copy a file of a qube that runs into dom0; none of that name may be there",
    parameters: {
      vm: required("qube", "the qube that has the file"),
      from: required("qubePath", "the file in it, from / or ~ on"),
      path: required("incomingPath", "the new file in dom0, where files of people are"),
      most: optional("fileBytes", "how many bytes it may have; by default 16 GiB"),
    },
    run: "file-fetch [--most={most}] {vm} {from} {path}",
  },
  "file.send": {
    ...COPYING,
    summary: "Copy a file of dom0 into a qube that runs; none of that name may be there",
    parameters: {
      path: required("dom0Path", "the file, absolute, no part of it a link"),
      vm: required("qube", "the qube that gets it"),
      to,
    },
    run: "file-send [--to={to}] {vm} {path}",
  },
  "file.copy": {
    ...COPYING,
    summary: "Copy a file of one qube into another, through dom0; both run",
    parameters: {
      vm: required("qube", "the qube that has the file"),
      from: required("qubePath", "the file in it, from / or ~ on"),
      to_vm: required("qube", "the qube that gets it"),
      to,
    },
    run: "file-copy [--to={to}] {vm} {from} {to_vm}",
  },
};
