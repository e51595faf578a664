// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Devices, by class: usb, block, pci, mic. Source: qvm_device.py in qubes-core-admin-client: a
 * list has a header on a terminal only, and none here.
 *
 * @module
 */

import { type Definition } from "./operation.ts";
import { optional, required } from "./parameter.ts";
import { NOTHING, padded, type QubesOfRow } from "./result.ts";

/** Its backend, and who has it: "work (attached), lab (required: read-only=yes)". */
const qubesOfDevice: QubesOfRow = ({ device, used_by }) => [
  String(device).split(":", 1)[0] ?? "",
  ...[...String(used_by ?? "").matchAll(/(?:^|, )\*?([A-Za-z][A-Za-z0-9_.-]*)/g)]
    .map(([, name = ""]) => name),
];

const device_class = required("deviceClass", "the class: usb, block, pci, mic");
const device = required("device", "the device, as BACKEND:PORT");

export const DEVICES: Readonly<Record<string, Definition>> = {
  "device.list": {
    summary: "List the devices of one class, and who uses them",
    level: "monitor",
    lists: true,
    parameters: { device_class },
    run: "qvm-device {device_class} list|ls|l",
    result: padded({ header: false, qubes: qubesOfDevice }, "device", "description", "used_by"),
  },
  "device.attach": {
    summary: "Attach a device to a running qube",
    level: "manage",
    parameters: {
      device_class,
      vm: required("qube", "the qube that gets it"),
      device,
      ro: optional("flag", "read-only"),
    },
    run: "qvm-device {device_class} attach|at|a [--ro] {vm} {device}",
    result: NOTHING,
  },
  "device.detach": {
    summary: "Detach a device from a qube",
    level: "manage",
    parameters: { device_class, vm: required("qube", "the qube that has it"), device },
    run: "qvm-device {device_class} detach|dt|d {vm} {device}",
    result: NOTHING,
  },
};
