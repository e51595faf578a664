// SPDX-License-Identifier: GPL-2.0-or-later
/** qvm-device: two devices of dom0's, a disk and a microphone, that a VM may have. @module */
import { parseToolArgs, ToolRuntimeError, ToolUsageError } from "./tool_args.ts";
import { oneDomain, stateOf, type ToolContext } from "./tool_context.ts";
import { formatTable } from "./tool_table.ts";
import { changeVm, readWorld } from "./world_config.ts";

const DEVICES: Readonly<Record<string, readonly (readonly [name: string, about: string])[]>> = {
  block: [["dom0:sdb", "Flash disk (64 GB)"]],
  mic: [["dom0:mic", "Microphone"]],
  pci: [],
  usb: [],
};

/** Lists the devices of a class, attaches one, or detaches it. */
export async function qvmDevice(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [["--ro", "flag"]]);
  const [kind = "", command = "list", vmName, device = ""] = args.words;
  const known = DEVICES[kind];
  if (known === undefined) throw new ToolUsageError(`unknown device class '${kind}'`);
  if (["list", "ls", "l"].includes(command)) {
    if (known.length > 0) {
      context.out(formatTable(known.map((one) => [...one, usedBy(context, one)])));
    }
    return 0;
  }
  const vm = oneDomain(context, vmName);
  if (!known.some(([name]) => name === device)) {
    throw new ToolRuntimeError(`backend vm 'dom0' doesn't expose ${kind} device '${device}'`);
  }
  const others = (vm.devices ?? []).filter((one) => one !== device);
  if (["attach", "at", "a"].includes(command)) {
    if (stateOf(context.folder, vm.name) !== "Running") {
      throw new ToolRuntimeError(`${vm.name} is not running`);
    }
    if (usedBy(context, [device]) !== "") {
      throw new ToolRuntimeError(`${device} is attached already`);
    }
    await changeVm(context.folder, vm.name, (now) => ({ ...now, devices: [...others, device] }));
    return 0;
  }
  if (!["detach", "dt", "d"].includes(command)) {
    throw new ToolUsageError(`argument command: invalid choice: '${command}'`);
  }
  if (others.length === (vm.devices ?? []).length) {
    throw new ToolRuntimeError(`${device} is not attached to ${vm.name}`);
  }
  await changeVm(context.folder, vm.name, (now) => ({ ...now, devices: others }));
  return 0;
}

function usedBy({ folder }: ToolContext, [device]: readonly string[]): string {
  return readWorld(folder).vms.filter(({ devices = [] }) => devices.includes(device ?? ""))
    .map(({ name }) => `${name} (attached)`).join(", ");
}
