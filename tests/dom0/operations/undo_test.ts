// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { CHANGES } from "../../../dom0/operations/undo.ts";

/** An operation, what the reading one printed before it, the part that changes, the way back. */
const BACK: readonly (readonly [
  operation: string,
  printed: string,
  part: unknown,
  back: readonly string[] | null,
])[] = [
  ["vm.prefs.set vm=work property=memory value=800", "memory  -  400\n", {
    value: "400",
    isDefault: false,
  }, [
    "vm.prefs.set vm=work property=memory value=400",
  ]],
  ["vm.prefs.set vm=work property=netvm value=", "netvm  D  sys-firewall\n", {
    value: "sys-firewall",
    isDefault: true,
  }, [
    "vm.prefs.reset vm=work property=netvm",
  ]],
  ["vm.prefs.reset vm=work property=netvm", "netvm  -  \n", { value: "", isDefault: false }, [
    "vm.prefs.set vm=work property=netvm value=",
  ]],
  ["vm.prefs.set vm=work property=nothing value=1", "netvm  -  \n", null, null],
  ["system.prefs.set property=updatevm value=x", "updatevm  -  sys-net\n", {
    value: "sys-net",
    isDefault: false,
  }, [
    "system.prefs.set property=updatevm value=sys-net",
  ]],
  ["system.prefs.reset property=updatevm", "updatevm  D  sys-net\n", {
    value: "sys-net",
    isDefault: true,
  }, [
    "system.prefs.reset property=updatevm",
  ]],
  ["vm.features.set vm=work feature=gui value=1", "", null, [
    "vm.features.reset vm=work feature=gui",
  ]],
  ["vm.features.reset vm=work feature=gui", "gui  1\n", "1", [
    "vm.features.set vm=work feature=gui value=1",
  ]],
  ["vm.tags.add vm=work tag=ai", "office\n", false, ["vm.tags.remove vm=work tag=ai"]],
  ["vm.tags.add vm=work tag=ai", "ai\n", true, ["vm.tags.add vm=work tag=ai"]],
  ["vm.tags.remove vm=work tag=ai", "ai\n", true, ["vm.tags.add vm=work tag=ai"]],
  ["vm.services.enable vm=work service=cups", "", null, ["vm.services.reset vm=work service=cups"]],
  ["vm.services.disable vm=work service=cups", "cups  on\n", "on", [
    "vm.services.enable vm=work service=cups",
  ]],
  ["vm.services.reset vm=work service=cups", "cups  off\n", "off", [
    "vm.services.disable vm=work service=cups",
  ]],
  ["vm.notes.set vm=work notes=new", "old\n", "old", ["vm.notes.set vm=work notes=old"]],
  ["vm.notes.set vm=work notes=new", "two\nlines\n", "two\nlines", null],
  ["vm.start vm=work", info("Halted"), "Halted", ["vm.shutdown vm=work wait=true"]],
  ["vm.start vm=work", info("Running"), "Running", ["vm.start vm=work skip_if_running=true"]],
  ["vm.start vm=work", info("Paused"), "Paused", null],
  ["vm.shutdown vm=work", info("Running"), "Running", ["vm.start vm=work skip_if_running=true"]],
  ["vm.kill vm=work", info("Running"), "Running", ["vm.start vm=work skip_if_running=true"]],
  ["vm.pause vm=work", info("Running"), "Running", ["vm.unpause vm=work"]],
  ["vm.unpause vm=work", info("Paused"), "Paused", ["vm.pause vm=work"]],
  [
    "vm.firewall.add vm=work action=drop",
    "action=accept\n",
    [{ action: "accept" }],
    ["vm.firewall.remove vm=work rule_no=1"],
  ],
  [
    "vm.firewall.add vm=work action=drop before=0",
    "action=accept\n",
    [{ action: "accept" }],
    ["vm.firewall.remove vm=work rule_no=0"],
  ],
  [
    "vm.firewall.remove vm=work rule_no=0",
    "action=accept proto=tcp dst4=10.0.0.1/32 dstports=443-443 comment=a b\naction=drop proto=icmp icmptype=8\n",
    [
      { action: "accept", proto: "tcp", dst4: "10.0.0.1/32", dstports: "443-443", comment: "a b" },
      { action: "drop", proto: "icmp", icmptype: "8" },
    ],
    [
      "vm.firewall.add vm=work before=0 action=accept proto=tcp dsthost=10.0.0.1/32 dstports=443 comment=a b",
    ],
  ],
  [
    "vm.firewall.reset vm=work",
    "action=drop proto=icmp icmptype=8\naction=accept dstports=1-2\n",
    [{ action: "drop", proto: "icmp", icmptype: "8" }, { action: "accept", dstports: "1-2" }],
    [
      "vm.firewall.add vm=work action=drop proto=icmp icmptype=8",
      "vm.firewall.add vm=work action=accept dstports=1-2",
      "vm.firewall.remove vm=work rule_no=0",
    ],
  ],
  [
    "device.attach device_class=usb vm=work device=sys-usb:2-1",
    "sys-usb:2-1  Mouse\n",
    null,
    ["device.detach device_class=usb vm=work device=sys-usb:2-1"],
  ],
  [
    "device.detach device_class=usb vm=work device=sys-usb:2-1",
    "sys-usb:2-1  Mouse  work (attached)\n",
    "work (attached)",
    ["device.attach device_class=usb vm=work device=sys-usb:2-1"],
  ],
  ["vm.create vm=new label=red", "work\n", false, ["vm.remove vm=new"]],
  ["vm.create vm=new label=red", "new\n", true, []],
  ["vm.clone vm=work new_vm=new", "work\n", false, ["vm.remove vm=new"]],
  ["vm.rename vm=work new_vm=new", "work\n", false, ["vm.rename vm=new new_vm=work"]],
  ["template.install template=fedora-42", "work\n", false, ["vm.remove vm=fedora-42"]],
];

function info(state: string): string {
  return `work|${state}|AppVM|red|fedora-42|-|400|4000|2|False|False|1|10.0.0.1\n`;
}

/** A comment may hold blanks: pairs begin with a word and "=". */
function pairsOf(line: string): [string, readonly string[]] {
  const [name = "", ...rest] = line.split(" ");
  return [name, rest.join(" ").split(/ (?=[a-z_]+=)/).filter((pair) => pair !== "")];
}

for (const [operation, printed, part, back] of BACK) {
  Deno.test(`undo: ${operation}, after ${JSON.stringify(printed.slice(0, 30))}`, () => {
    const { values } = recogniseNamed(...pairsOf(operation));
    const change = CHANGES.get(operation.split(" ")[0] ?? "");
    assert(change !== undefined);
    const read = OPERATIONS.get(change.reads)?.result.parse(printed) ?? null;
    const before = change.part(read, values);
    assertEquals(before, part as never);
    const steps = change.back(before, values)?.map(({ operation, values }) =>
      [
        operation,
        ...[...values].map(([key, value]) => `${key}=${value}`),
      ].join(" ")
    ) ?? null;
    assertEquals(steps, back as never);
    for (const step of steps ?? []) recogniseNamed(...pairsOf(step)); // is an operation, whole
  });
}

Deno.test("what can be undone is read by an operation that only reads, and each is tested", () => {
  const tested = new Set(BACK.map(([line]) => line.split(" ")[0]));
  for (const [name, { reads }] of CHANGES) {
    const operation = OPERATIONS.get(name);
    const reader = OPERATIONS.get(reads);
    assert(operation !== undefined && reader !== undefined, name);
    assertEquals(reader.level, "monitor");
    assert(operation.level !== "monitor");
    for (const parameter of reader.parameters.keys()) {
      assert(operation.parameters.has(parameter), `${name}: ${reads} needs ${parameter}`);
    }
    assert(tested.has(name), `${name} has no test`);
  }
});
