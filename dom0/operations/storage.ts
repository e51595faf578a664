// SPDX-License-Identifier: GPL-2.0-or-later
/** Pools and volumes. Sources: qvm_pool.py, qvm_volume.py in qubes-core-admin-client. @module */

import { type Definition } from "./operation.ts";
import { required } from "./parameter.ts";
import { LINES, NAMED_VALUES, NOTHING, padded } from "./result.ts";

const vm = required("qube", "the qube");
const volume = required("volume", "root, private, volatile or kernel");

export const STORAGE: Readonly<Record<string, Definition>> = {
  "pool.list": {
    summary: "List the storage pools",
    level: "monitor",
    run: "qvm-pool list|l|ls",
    result: padded({ header: true }, "name", "driver"),
  },
  "pool.info": {
    summary: "Show how a storage pool is set up",
    level: "monitor",
    parameters: { pool: required("pool", "the pool") },
    run: "qvm-pool info|i {pool}",
    result: NAMED_VALUES,
  },
  "volume.list": {
    summary: "List the volumes of all qubes",
    level: "monitor",
    lists: true,
    run: "qvm-volume list|ls|l",
    result: padded(
      { header: true, qubes: ({ vm }) => String(vm ?? "").split(/, ?/) },
      "pool_volume",
      "vm",
      "volume_name",
      "revert_possible",
    ),
  },
  "volume.info": {
    summary: "Show one value of a volume, such as size, usage or pool",
    level: "monitor",
    parameters: { vm, volume, property: required("property", "what is asked, such as size") },
    run: "qvm-volume info|i {vm}:{volume} {property}",
    result: LINES,
  },
  "volume.resize": {
    summary: "Make a volume larger",
    level: "manage",
    parameters: { vm, volume, bytes: required("volumeBytes", "its new size in bytes") },
    run: "qvm-volume resize|extend {vm}:{volume} {bytes}",
    destructive: true,
    result: NOTHING,
  },
  "volume.revert": {
    summary: "Give a volume the content it had at an earlier shutdown",
    level: "manage",
    parameters: { vm, volume, revision: required("revision", "one of volume.info revisions") },
    run: "qvm-volume revert|rv|r {vm}:{volume} {revision}",
    destructive: true,
    result: NOTHING,
  },
};
