// SPDX-License-Identifier: GPL-2.0-or-later
/** Devices on a qube's page: by class, who has each, and attaching or detaching one. @module */

import { type Admin, askerOf, type View } from "../../admin_context.ts";
import { Dom0Error, orProblem } from "../../channel/dom0_channel.ts";
import { type Content, type Html, markup } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import { rowsOf } from "../../qube_list.ts";
import { panel, state, table, token } from "../parts.ts";

/** By their names in qvm-device, and in the words of a person. */
const CLASSES: readonly (readonly [name: string, title: string])[] = [
  ["usb", "USB"],
  ["block", "Block"],
  ["mic", "Microphone"],
  ["pci", "PCI"],
];

interface Device {
  readonly name: string;
  readonly description: string;
  /** As dom0 says it: "work (attached), lab (required)"; "" for nobody. */
  readonly usedBy: string;
}

export type DevicesOfClass = readonly Device[] | Dom0Error;
/** In the order of the page. */
export type Devices = readonly (readonly [of: string, title: string, devices: DevicesOfClass])[];

export async function readDevices({ channel }: Admin, by: string): Promise<Devices> {
  return await Promise.all(CLASSES.map(async ([device_class, title]) => {
    const rows = await orProblem(channel.run("device.list", { device_class }, by).then(rowsOf));
    const devices = rows instanceof Dom0Error ? rows : rows.map((row): Device => ({
      name: row["device"] ?? "",
      description: row["description"] ?? "",
      usedBy: row["used_by"] ?? "",
    }));
    return [device_class, title, devices] as const;
  }));
}

export function devicesPart(
  view: View,
  vm: string,
  { isRunning, devices }: { readonly isRunning: boolean; readonly devices: Devices },
): Html {
  const rows = devices.flatMap(([of, title, found]) =>
    found instanceof Dom0Error
      ? [{
        key: of,
        cells: [title, markup`<span class="bad">Cannot be read.</span> ${found.message}`, "", ""],
      }]
      : found.filter((device) => of !== "pci" || isUsedBy(vm, device)).map((device) => ({
        key: device.name,
        cells: [
          title,
          markup`<bdi>${
            device.description || device.name
          }</bdi><div class="small soft"><code>${device.name}</code></div>`,
          whoHas(vm, device),
          button(view, vm, of, device, isRunning),
        ],
      }))
  );
  return panel(
    { title: "Devices", id: "devices", isLive: true, aside: "at once, not staged" },
    rows.length === 0
      ? markup`<div class="empty"><p>dom0 sees no device to attach.</p></div>`
      : markup`${
        table(
          [{ name: "Class" }, { name: "Device" }, { name: "State" }, {
            name: "Action",
            look: "num",
            isSilent: true,
          }],
          rows,
          "edits",
        )
      }${
        !isRunning &&
        markup`<p class="body small soft">A device is attached while the qube runs.</p>`
      }`,
  );
}

function isUsedBy(vm: string, { usedBy }: Device): boolean {
  return usedBy.split(/[ ,*]+/).includes(vm);
}

function whoHas(vm: string, device: Device): Content {
  if (isUsedBy(vm, device)) {
    return state("ok", device.usedBy.includes("(") ? device.usedBy : "Attached here");
  }
  return device.usedBy === "" ? markup`<span class="soft">free</span>` : device.usedBy;
}

/** A PCI device is shown where it is, and changed only with the qube halted: in its settings. */
function button(
  { session }: View,
  vm: string,
  device_class: string,
  device: Device,
  isRunning: boolean,
): Content {
  const isHere = isUsedBy(vm, device);
  const isOfAnother = device.usedBy !== "" && !isHere;
  if (!isRunning || isOfAnother || device_class === "pci") return null;
  const [backend] = device.name.split(":", 1);
  if (backend === vm) return markup`<span class="soft small">its own</span>`;
  const readOnly = device_class === "block" && !isHere &&
    markup`<label class="check small"><input type="checkbox" name="ro" value="yes"> read-only</label>`;
  return markup`<form method="post" action="/qubes/${encodeURIComponent(vm)}/device">${
    token(session)
  }<input type="hidden" name="class" value="${device_class}"><input type="hidden" name="device" value="${device.name}">${readOnly}<button class="lean" name="what" value="${
    isHere ? "detach" : "attach"
  }">${isHere ? "Detach" : "Attach"}<span class="vh"> ${device.name}</span></button></form>`;
}

export async function changeDevice(
  { channel }: Admin,
  vm: string,
  { form, session }: AskedBySession,
): Promise<Answer> {
  const what = form.get("what");
  if (what !== "attach" && what !== "detach") throw new HttpError(400, "what is attach or detach");
  const device = form.get("device") ?? "";
  const values = { device_class: form.get("class") ?? "", vm, device };
  const readOnly = what === "attach" && form.get("ro") === "yes" ? { ro: "true" } : {};
  try {
    const { exitCode, stderr } = await channel.run(
      `device.${what}`,
      { ...values, ...readOnly },
      askerOf(session),
    );
    session.notices.push(
      exitCode === 0 ? { kind: "ok", text: `${device} is ${what}ed.` } : {
        kind: "bad",
        text: `${device} was not ${what}ed: ${stderr.trim() || `code ${exitCode}`}`,
      },
    );
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: `${device} was not ${what}ed: ${error.message}` });
  }
  return seeOther(`/qubes/${encodeURIComponent(vm)}#devices`);
}
