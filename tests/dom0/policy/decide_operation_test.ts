// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { type Recognised, recogniseNamed } from "../../../dom0/operations/recognise.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { decideOperation, type Judged } from "../../../dom0/policy/decide_operation.ts";
import { parsePolicy } from "../../../dom0/policy/parse_policy.ts";
import type { KnownQubes } from "../../../dom0/policy/qube_facts.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

const AGENT = parseVmName("agent");
const TYPES = new Map([
  ...[["dom0", "AdminVM"], ["agent", "StandaloneVM"], ["ai-one", "AppVM"], ["vault", "AppVM"]],
  ...[["sys-net", "AppVM"], ["fedora-42", "TemplateVM"]],
] as [string, string][]);
const TAGGED = new Map([["ai", new Set(["ai-one"])]]);
const KNOWN: KnownQubes = {
  inventory: { types: TYPES, tagged: TAGGED },
  tagsOf: (qube) => new Set(TAGGED.get("ai")?.has(qube) ? ["ai"] : []),
  typeOf: (qube) => TYPES.get(qube) ?? "",
};
const UNKNOWN: KnownQubes = { inventory: null, tagsOf: () => null, typeOf: () => null };

const SCOPED = `
@monitor   agent  @tag:ai            allow
vm.start   agent  @tag:ai            allow
vm.create  agent  @type:TemplateVM   allow
vm.create  agent  *                  allow  create=@tag:ai
vm.tags.*  agent  @tag:ai            allow
vm.prefs.* agent  @tag:ai            ask
`;

function judge(rules: string, recognised: Recognised | null, known: KnownQubes = KNOWN): Judged {
  const parsed = parsePolicy(new Map([["p.policy", rules]]));
  return decideOperation(AGENT, recognised, { rules: parsed, known, nowMs: 0 });
}

function scoped(name: string, ...pairs: string[]): Judged {
  return judge(SCOPED, recogniseNamed(name, pairs));
}

const hidden = ({ view }: Judged): string =>
  [...TYPES.keys()].filter((name) => view?.hides(name)).join(" ");

Deno.test("a list is given with the qubes that may be seen, and no other", () => {
  const listed = scoped("vm.list");
  assertEquals(listed.decision.action, "allow");
  assertEquals(hidden(listed), "dom0 agent vault sys-net fedora-42");
});

Deno.test("a list of which nothing may be seen is denied; one of dom0 alone is empty", () => {
  assertEquals(judge("@monitor agent ghost allow", recogniseNamed("vm.list", [])).decision, {
    ...{ action: "deny", because: "no rule", options: {} },
  });
  const empty = judge("@monitor agent - allow", recogniseNamed("vm.list", []));
  assertEquals(empty.decision.action, "allow");
  assertEquals(hidden(empty), "agent ai-one vault sys-net fedora-42");
});

Deno.test("a VM that may see everything gets the tool's own output", () => {
  assertEquals(judge("@monitor agent * allow", recogniseNamed("vm.list", [])).view, null);
});

Deno.test("a qube outside and a qube that there is not are answered alike, by every operation", () => {
  for (const operation of OPERATIONS.values()) {
    if (!operation.parameters.has("vm")) continue;
    const others = new Map([
      ...[["property", "memory"], ["value", "1"], ["feature", "x"], ["tag", "t"], ["service", "s"]],
      ...[["label", "red"], ["new_vm", "ai-two"], ["notes", "n"], ["action", "drop"]],
      ...[["rule_no", "0"], ["device_class", "usb"], ["device", "ai-one:1"], ["command", "id"]],
      ...[["volume", "root"], ["bytes", "1"], ["revision", "1"], ["part", "proxy"]],
      ...[["folder", "/x"], ["from", "/x"], ["path", "/srv/x"], ["to_vm", "ai-one"]],
    ] as [string, string][]);
    const of = (vm: string): Judged => {
      const pairs = [...operation.parameters].filter(([key, one]) => !one.optional && key !== "vm")
        .map(([key]) => `${key}=${others.get(key)}`);
      const service = operation.name === "vm.service" ? ["service=qubes.GetDate"] : pairs;
      return scoped(operation.name, `vm=${vm}`, ...service);
    };
    assertEquals(of("vault").decision, of("ghost").decision, operation.name);
  }
});

Deno.test("a value that names a qube outside is as good as denied", () => {
  const netvm = (value: string): string =>
    scoped("vm.prefs.set", "vm=ai-one", "property=netvm", `value=${value}`).decision.action;
  assertEquals([netvm(""), netvm("ai-one"), netvm("sys-net"), netvm("ghost")], [
    ...["ask", "ask", "deny", "deny"],
  ]);
});

Deno.test("what is the operator's is no VM's, whatever the rules say", () => {
  const all = "* agent * allow\nfile.* agent /srv allow\n";
  for (
    const [name, ...pairs] of [
      ["file.browse", "vm=ai-one", "folder=/home/user"],
      ["file.fetch", "vm=ai-one", "from=/home/user/x", "path=/srv/x"],
      ["file.send", "vm=ai-one", "path=/srv/x"],
      ["file.copy", "vm=ai-one", "from=/home/user/x", "to_vm=vault"],
    ]
  ) {
    const { decision, view } = judge(all, recogniseNamed(name ?? "", pairs));
    assertEquals([decision.action, view], ["deny", null], name);
    assertEquals(decision.because, "only dom0's operator may do it, not a VM");
  }
});

Deno.test("a VM that may create qubes gets them with the tag of its scope, and cannot change it", () => {
  const created = scoped("vm.create", "vm=ai-two", "label=red", "template=fedora-42");
  assertEquals([created.decision.action, created.decision.options.createTag], ["allow", "ai"]);
  for (const name of ["vm.tags.add", "vm.tags.remove"]) {
    const { decision } = scoped(name, "vm=ai-one", "tag=ai");
    assertEquals(decision.action, "deny");
    assertEquals(decision.because, "policy rests on the tag ai: only dom0 changes it");
    assertEquals(scoped(name, "vm=ai-one", "tag=mine").decision.action, "allow");
  }
});

Deno.test("what is asked shows no more than what would be asked", () => {
  const asked = scoped("vm.prefs.list", "vm=ai-one");
  assertEquals(asked.decision.action, "allow");
  assertEquals(hidden(asked), "dom0 agent vault sys-net fedora-42");
  const mixed = judge(
    "vm.list agent ai-one allow\nvm.list agent vault ask",
    recogniseNamed("vm.list", []),
  );
  assertEquals([mixed.decision.action, mixed.view?.hides("vault")], ["allow", true]);
});

Deno.test("nothing is known: nothing that rests on it is allowed", () => {
  for (const name of ["vm.list", "xen.info"]) {
    assertEquals(judge(SCOPED, recogniseNamed(name, []), UNKNOWN).decision.action, "deny");
  }
  const start = recogniseNamed("vm.start", ["vm=ai-one"]);
  assertEquals(judge(SCOPED, start, UNKNOWN).decision.action, "deny");
  assertEquals(judge("* agent * allow", start, UNKNOWN).decision.action, "allow");
  const byName = judge("* agent ai-one allow", start, UNKNOWN).decision;
  assertEquals(byName.because, "the list of qubes could not be read", "names could not be hidden");
  assertEquals(judge("* agent * allow", null, UNKNOWN).decision.action, "allow");
});

Deno.test("a script is the shell: level full, and no qube", () => {
  assertEquals(judge(SCOPED, null).decision.action, "deny");
  assertEquals(judge("shell agent - ask", null).decision.action, "ask");
  assert(judge("@full agent * allow", null).decision.action === "allow");
});
