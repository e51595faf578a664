// SPDX-License-Identifier: GPL-2.0-or-later
/** From facts to commands and back; what is looked at, and what undo leaves alone. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  commandsFor,
  type Fact,
  factKey,
  OTHER,
  type Value,
  YES,
} from "../../../dom0/setup/fact.ts";
import { parsePrivateIpv4, parseUserPort } from "../../../dom0/setup/network_address.ts";
import { agentBlock, netvmBlock } from "../../../dom0/setup/network_rules.ts";
import { setupPaths } from "../../../dom0/setup/paths.ts";
import { leftovers, planUndo, stepFor } from "../../../dom0/setup/plan.ts";
import { createReader, parsePrefs } from "../../../dom0/setup/reader.ts";
import { type Entry, record } from "../../../dom0/setup/record.ts";
import { parseInvocation } from "../../../dom0/setup/request.ts";
import { parseRows } from "../../../dom0/setup/survey.ts";
import { type Surroundings, wantedFor } from "../../../dom0/setup/wanted.ts";
import { shellQuote } from "../../../shared/protocol/command.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { fakeTools } from "./fake_tools.ts";

const claw = parseVmName("claw");
const fedora = parseVmName("fedora-42");
const block: Fact & { kind: "block" } = {
  ...{ kind: "block", vm: claw },
  ...agentBlock(parsePrivateIpv4("10.137.0.100"), [parseUserPort("p", "32125")]),
};

Deno.test("each fact becomes the commands that the tools' sources know", () => {
  const lines: readonly (readonly [Fact, Value, Value, ...string[]])[] = [
    [
      { kind: "vm", vm: claw, class: "StandaloneVM", template: fedora, label: "orange" },
      ...[null, YES] as const,
      "qvm-create --class StandaloneVM --template fedora-42 --label orange claw",
    ],
    [
      { kind: "vm", vm: claw, class: "AppVM", label: "red" },
      ...[YES, null] as const,
      ...["qvm-shutdown --wait claw", "qvm-remove --force claw"],
    ],
    [{ kind: "pref", vm: claw, name: "netvm" }, null, "none", "qvm-prefs claw netvm none"],
    [{ kind: "pref", vm: claw, name: "ip" }, "10.0.0.1", null, "qvm-prefs --default claw ip"],
    [{ kind: "tag", vm: claw, name: "t" }, null, YES, "qvm-tags claw add t"],
    [{ kind: "tag", vm: claw, name: "t" }, YES, null, "qvm-tags claw del t"],
    [{ kind: "feature", vm: claw, name: "f" }, null, "a b", "qvm-features claw f 'a b'"],
    [{ kind: "feature", vm: claw, name: "f" }, "a", null, "qvm-features --unset claw f"],
    [{ kind: "service", vm: claw, name: "s" }, "off", "on", "qvm-service claw s on"],
    [{ kind: "service", vm: claw, name: "s" }, "on", null, "qvm-service --unset claw s"],
    [{ kind: "firewall", vm: claw }, null, YES, "qvm-firewall claw add --before 0 action=drop"],
    [{ kind: "firewall", vm: claw }, YES, null, "qvm-firewall claw del --rule-no 0"],
    [{ kind: "enabled", unit: "u.service" }, null, YES, "systemctl enable u.service"],
    [{ kind: "active", unit: "u.service" }, YES, null, "systemctl stop u.service"],
    [block, null, YES, "qvm-run --pass-io --no-gui --user root claw 'exec sh -s'"],
    [
      { kind: "file", path: "/e/f", mode: 0o644, reader: "u.service" },
      ...["old", "new"] as const,
      ...["ln -- /e/f /e/f.before-setup", "tee -- /e/f", "systemctl try-restart u.service"],
    ],
  ];
  for (const [fact, from, to, ...commands] of lines) {
    assertEquals(commandsFor(fact, from, to).map(({ argv }) => shellQuote(argv)), commands);
  }
});

Deno.test("what qvm-prefs and qvm-ls print is read as they print it", () => {
  const prefs = parsePrefs(
    "autostart            D  False\nnetvm                -  None\nip                   -  10.137.0.9\n" +
      "kernelopts           -  a  -  b\nbackup_timestamp     U\n",
  );
  assertEquals([...prefs], [["netvm", "none"], ["ip", "10.137.0.9"], ["kernelopts", "a  -  b"]]);
  assertEquals(parseRows("dom0|AdminVM|-|-\nclaw|AppVM|sys-firewall|10.137.0.9"), [
    { name: "dom0", klass: "AdminVM", netvm: "-", ip: "-" },
    { name: "claw", klass: "AppVM", netvm: "sys-firewall", ip: "10.137.0.9" },
  ]);
  assertThrows(() => parseRows("claw|AppVM"), UserError, "not understood");
});

Deno.test("a tool that fails is no answer", async () => {
  const feature: Fact = { kind: "feature", vm: claw, name: "f" };
  const answer = (code: number, stderr: string) => ({ code, stdout: "", stderr });
  const readWith = (code: number, stderr: string) =>
    createReader(fakeTools({
      "qvm-check --quiet claw": 0,
      "qvm-features claw f": answer(code, stderr),
    })).read(feature);
  assertEquals(await readWith(1, ""), null);
  await assertRejects(() => readWith(1, "qvm-features: error: no qubesd"), UserError, "no qubesd");
  await assertRejects(() => readWith(2, ""), UserError, "ended with 2");
});

Deno.test("a block of a halted VM is written with the VM started, and shut down again", async () => {
  const tools = fakeTools({
    "qvm-check --quiet claw": 0,
    "qvm-check --quiet --running claw": 1,
  });
  const wanted = { fact: block, to: YES, why: "" };
  const step = await stepFor(createReader(tools), wanted, []);
  assertEquals(step?.commands.map(({ argv: [program] }) => program), [
    ...["qvm-start", "qvm-run", "qvm-shutdown"],
  ]);
  const record: Entry[] = [{ fact: block, from: null, to: YES }];
  assertEquals(await stepFor(createReader(tools), wanted, record), undefined);
  const older = { ...block, text: "something else\n" };
  const again = await stepFor(createReader(tools), wanted, [
    { ...record[0], fact: older } as Entry,
  ]);
  assertEquals(again?.from, OTHER);
});

Deno.test("the record keeps what was before the first change", () => {
  const fact: Fact = { kind: "feature", vm: claw, name: "f" };
  const twice = record.withChange(record.withChange([], { fact, from: "a", to: "b" }), {
    fact,
    from: "b",
    to: "c",
  });
  assertEquals(twice, [{ fact, from: "a", to: "c" }]);
  assertEquals(record.without(twice, { ...fact }), []);
  assertEquals(record.parse(JSON.stringify({ format: 1, entries: twice })), twice);
  for (
    const bad of [
      "{}",
      '{"format":2,"entries":[]}',
      '{"format":1,"entries":[{"fact":{"kind":"shell","vm":"claw"},"from":null,"to":null}]}',
      '{"format":1,"entries":[{"fact":{"kind":"tag","vm":"a;b","name":"t"},"from":null,"to":null}]}',
      '{"format":1,"entries":[{"fact":{"kind":"tag","vm":"a","name":[]},"from":null,"to":null}]}',
      '{"format":1,"entries":[{"fact":{"kind":"tag","vm":"a","name":"t"},"from":1,"to":null}]}',
    ]
  ) assertThrows(() => record.parse(bad), Error);
});

Deno.test("undo goes backwards and touches only what is as setup left it", async () => {
  const vm: Fact = { kind: "vm", vm: claw, class: "AppVM", label: "red" };
  const tag: Fact = { kind: "tag", vm: claw, name: "t" };
  const feature = (name: string): Fact => ({ kind: "feature", vm: claw, name });
  const gone: Fact = { kind: "tag", vm: parseVmName("gone"), name: "t" };
  const record: Entry[] = [
    { fact: vm, from: null, to: YES },
    { fact: tag, from: null, to: YES },
    { fact: feature("same"), from: "old", to: "new" },
    { fact: feature("undone"), from: "old", to: "new" },
    { fact: feature("changed"), from: "old", to: "new" },
    { fact: gone, from: null, to: YES },
  ];
  const tools = fakeTools({
    "qvm-check --quiet claw": 0,
    "qvm-check --quiet gone": 1,
    "qvm-tags claw list": "other\nt\n",
    "qvm-features claw same": "new\n",
    "qvm-features claw undone": "old\n",
    "qvm-features claw changed": "someone's\n",
  });
  const shown = async (removeVms: boolean) =>
    (await planUndo(createReader(tools), record, removeVms)).map(({ entry, action }) =>
      `${factKey(entry.fact)}: ${
        action.kind === "step" ? action.step.commands[0]?.argv.join(" ") : action.kind
      }`
    );
  assertEquals(await shown(false), [
    "tag gone t: gone",
    "feature claw changed: left",
    "feature claw undone: gone",
    "feature claw same: qvm-features claw same old",
    "tag claw t: qvm-tags claw del t",
    "vm claw: left",
  ]);
  assertEquals((await shown(true)).slice(3), [
    "feature claw same: gone",
    "tag claw t: gone",
    "vm claw: qvm-shutdown --wait claw",
  ]);
});

Deno.test("what is wanted: roles, ports, defaults for VMs that are made", () => {
  const around: Surroundings = {
    paths: setupPaths(""),
    template: fedora,
    adminTemplate: undefined,
    keyTemplate: undefined,
    ours: new Set(),
    policies: [{ name: "50-openclaw.policy", text: "a +32125 +18789 +321250\n" }],
    hops: [],
  };
  const request = (...words: string[]) => {
    const { action } = parseInvocation(words);
    if (action.kind !== "setup") throw new Error(action.kind);
    return action.request;
  };
  const keys = (words: string[], more: Partial<Surroundings> = {}) =>
    wantedFor(request(...words), { ...around, ...more }).map(({ fact }) => factKey(fact));
  assertEquals(keys(["claw"]).filter((key) => key.startsWith("pref")), ["pref claw autostart"]);
  assertEquals(
    keys(["claw"], { ours: new Set([claw]) }).filter((key) => key.startsWith("pref")),
    ["pref claw memory", "pref claw maxmem", "pref claw autostart"],
  );
  const admin = keys(["claw", "--admin-vm", "adm"]);
  const at = (key: string) => admin.indexOf(key);
  assertEquals(
    at("firewall adm") > at("vm adm") && at("pref adm netvm") > at("firewall adm"),
    true,
  );
  const swapped = wantedFor(request("claw", "--proxy-port=18789", "--gateway-port=32125"), around);
  const policy = swapped.find(({ fact }) => factKey(fact).endsWith(".policy"));
  assertEquals(policy?.to, "a +18789 +32125 +321250\n");

  const record: Entry[] = [
    { fact: block, from: null, to: YES },
    { fact: { kind: "pref", vm: claw, name: "ip" }, from: null, to: "10.137.0.100" },
    { fact: { kind: "tag", vm: claw, name: "own" }, from: null, to: YES },
  ];
  const left = leftovers(wantedFor(request("claw"), around), record);
  assertEquals(left.map(({ fact, to }) => [factKey(fact), to]), [
    ["block claw /rw/config/rc.local", null],
    ["pref claw ip", null],
  ]);
});

Deno.test("the netvm next to the agent lets VMs in, those further out only what comes from outside", () => {
  const ports = [parseUserPort("a", "32125"), parseUserPort("b", "18789")];
  const ip = parsePrivateIpv4("10.137.0.100");
  const inner = netvmBlock(ip, true, ports).text;
  const outer = netvmBlock(ip, false, ports).text;
  const forward = (text: string) => /add rule ip qubes custom-forward (.*)'/.exec(text)?.[1];
  const rule = 'ip daddr 10.137.0.100 tcp dport { 32125, 18789 } accept comment "qubes-claw"';
  assertEquals([forward(inner), forward(outer)], [rule, `iifgroup != 2 ${rule}`]);
});
