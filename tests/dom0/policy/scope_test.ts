// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a VM with a scope can learn of the qubes outside it: nothing. Two systems that differ only
 * there, in how many qubes there are, their names, tags, labels, sizes and ids, and in what names them
 * elsewhere, answer every question that such a VM may ask by the same bytes.
 */
import { assert, assertEquals } from "@std/assert";
import { createFilteredOutput } from "../../../dom0/operations/filtered_output.ts";
import type { Operation } from "../../../dom0/operations/operation.ts";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { decideOperation } from "../../../dom0/policy/decide_operation.ts";
import { grantText } from "../../../dom0/policy/grant_file.ts";
import { parsePolicy } from "../../../dom0/policy/parse_policy.ts";
import type { KnownQubes } from "../../../dom0/policy/qube_facts.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

const AGENT = parseVmName("agent");

interface Qube {
  readonly name: string;
  readonly tags: readonly string[];
  readonly label: string;
  readonly bytes: number;
  readonly xenId: number;
}

interface System {
  readonly qubes: readonly Qube[];
  /** The hidden qube that visible ones name. */
  readonly netvm: string;
}

/** The same in both. */
const OWN: readonly Qube[] = [
  { name: "agent", tags: [], label: "gray", bytes: 10, xenId: 1 },
  { name: "ai-1", tags: ["ai"], label: "red", bytes: 1000, xenId: 2 },
  { name: "ai-2", tags: ["ai"], label: "blue", bytes: 2000, xenId: 3 },
];
const ONE: System = {
  netvm: "vault",
  qubes: [
    ...OWN,
    { name: "vault", tags: ["secret"], label: "black", bytes: 4242, xenId: 17 },
    { name: "ai", tags: ["ai-not"], label: "green", bytes: 77, xenId: 18 },
    { name: "vault-backup", tags: ["secret"], label: "purple", bytes: 31337, xenId: 19 },
  ],
};
const OTHER: System = {
  netvm: "gate",
  qubes: [...OWN, { name: "gate", tags: ["net"], label: "orange", bytes: 99, xenId: 23 }],
};

function knownOf({ qubes }: System): KnownQubes {
  const tagsOf = (name: string): ReadonlySet<string> =>
    new Set(qubes.find((qube) => qube.name === name)?.tags ?? []);
  const tagged = new Set(qubes.filter(({ tags }) => tags.includes("ai")).map(({ name }) => name));
  return {
    inventory: {
      types: new Map([["dom0", "AdminVM"], ...qubes.map(({ name }) => [name, "AppVM"] as const)]),
      tagged: new Map([["ai", tagged]]),
    },
    tagsOf,
    typeOf: (name) => qubes.some((qube) => qube.name === name) ? "AppVM" : "",
  };
}

type Printer = (system: System, own: Qube) => string;
const each = ({ qubes }: System, line: (qube: Qube) => string): string =>
  qubes.map((qube) => `${line(qube)}\n`).join("");

/** What the tools print: with the hidden names wherever somebody may have put them. */
const PRINTS: Readonly<Record<string, Printer>> = {
  "vm.names": (system) => `dom0\n${each(system, ({ name }) => name)}`,
  "vm.list": (system) =>
    each(
      system,
      ({ name, label }) => `${name}|Running|AppVM|${label}|${system.netvm}|${system.netvm}`,
    ),
  "events.read": (system) =>
    ["gone", ...system.qubes.map(({ name }) => name)].map((name) =>
      `2026-11-28T21:14:25+0000 dom0 qubesd[1]: INFO: vm.${name}: Starting NetVM (${system.netvm})\n`
    ).join(""),
  "vm.info": ({ netvm }, { name, label, bytes }) =>
    `${name}|Running|AppVM|${label}|${netvm}|${netvm}|400|4000|2|True|False|${bytes}|10.0.0.1\n`,
  "vm.prefs.list": ({ netvm }, { label }) =>
    `label   -  ${label}\nnetvm   -  ${netvm}\nguivm   D  ${netvm}\nkernelopts  -  x.owner=${netvm}\n`,
  "vm.prefs.get": ({ netvm }) => `${netvm}\n`,
  "vm.features.list": ({ netvm }) => `audiovm  ${netvm}\npeer.${netvm}  1\n`,
  "vm.features.get": ({ netvm }) => `for ${netvm}, and ${netvm}\n`,
  "vm.tags.list": ({ netvm }, { tags }) =>
    [...tags, `created-by-${netvm}`].map((tag) => `${tag}\n`).join(""),
  "vm.services.list": ({ netvm }) => `cups  on\nproxy-${netvm}  off\n`,
  "vm.notes.get": ({ netvm }) => `Ask ${netvm}.\nNever ${netvm}!\n`,
  "vm.firewall.list": ({ netvm }) =>
    `action=accept dsthost=${netvm}.example comment=only for ${netvm}\naction=drop\n`,
  "device.list": (system) =>
    `sys-usb:2-1  A mouse  ${system.netvm} (attached)\n` +
    each(system, ({ name, bytes }) => `${name}:sda  A disk of ${bytes}`),
  "volume.list": (system) =>
    `POOL:VOLUME  VMNAME  VOLUME_NAME  REVERT_POSSIBLE\n${
      each(system, ({ name }) => `p:appvms/${name}  ${name}  private  Yes`)
    }`,
  "volume.info": ({ netvm }, { bytes }) => `${bytes}\nvarlib:vm-templates/${netvm}/root\n`,
  "xen.list": (system) =>
    `Name ID Mem VCPUs State Time(s)\n${
      each(system, ({ name, xenId, bytes }) => `${name} ${xenId} ${bytes} 2 -b---- 1.0`)
    }${system.netvm}-dm 99 144 1 -b---- 2.0\n`,
  "xen.uptime": (system) =>
    `Name ID Uptime\n${each(system, ({ name, xenId }) => `${name} ${xenId} 1:00`)}`,
  // The qube's own word, whatever dom0 has.
  "openclaw.status": (_, { name }) => `{"qube":"${name}","proxy":"active"}\n`,
  "openclaw.usage": () => '{"requests":3}\n',
  "template.list": ({ netvm }) => `installed|${netvm}|1|x\ninstalled|ai-1|1|x\n`,
};

/** What a VM with this grant gets of an operation: the decision, and what it prints. */
function answer(
  system: System,
  grant: "monitor" | "manage" | "ask",
  name: string,
  pairs: readonly string[],
): string {
  const rules = parsePolicy(new Map([["50-agent.policy", grantText(AGENT, grant, { tag: "ai" })]]));
  const recognised = recogniseNamed(name, pairs);
  const state = { rules, known: knownOf(system), nowMs: 0 };
  const { decision: { action }, view } = decideOperation(AGENT, recognised, state);
  const print = PRINTS[name];
  if (action !== "allow" || recognised.operation.level !== "monitor") return action;
  assert(print !== undefined, `${name} is allowed, and the test has no output of it`);
  assert(view !== null, `${name} shows everything`);
  const own = OWN.find((qube) => pairs.includes(`vm=${qube.name}`)) ?? OWN[0];
  assert(own !== undefined);
  const output = createFilteredOutput(recognised.operation.result, view);
  output.push(1, utf8(print(system, own)));
  const said = [...recognised.values.values()].join(" ");
  output.push(2, utf8(`tool: what is ${said}?\n`));
  if (!said.includes(system.netvm)) {
    output.push(2, utf8(`tool: ${system.netvm} is in the way of ${own.name}\n`));
  } else output.push(2, utf8(`tool: (not visible) is in the way of ${own.name}\n`));
  const { out, err } = output.end(true);
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return `${action}\n${decode(out)}\n${decode(err)}`;
}

const VALUES: Readonly<Record<string, string>> = {
  ...{ property: "memory", feature: "audiovm", tag: "x", service: "cups", volume: "root" },
  ...{
    device_class: "usb",
    device: "ai-1:sda",
    pool: "p",
    unit: "qubesd",
    lines: "5",
    label: "red",
  },
  ...{
    file: "30.policy",
    value: "1",
    notes: "x",
    action: "drop",
    rule_no: "0",
    bytes: "1",
    revision: "r",
  },
  ...{
    template: "fedora",
    part: "proxy",
    command: "id",
    service_name: "x",
    rpc_service: "q.R",
    passphrase_file: "/p",
  },
  ...{ location: "/b", path: "/srv/x", dest_vm: "ai-2", new_vm: "ai-3", wait: "true" },
  ...{ folder: "/home/user", from: "/home/user/x", to_vm: "ai-2" },
};

function pairsOf({ parameters }: Operation, target: string): readonly string[] {
  return [...parameters].filter(([, { optional }]) => !optional)
    .map(([key]) => `${key}=${key === "vm" ? target : VALUES[key] ?? "x"}`);
}

/** The same with a guess in each parameter that takes one. */
function guessing({ parameters }: Operation, pairs: readonly string[]): readonly string[] {
  return pairs.map((pair) => {
    const [key = ""] = pair.split("=");
    const parameter = parameters.get(key);
    try {
      if (parameter?.qubesIn === undefined) parameter?.parse("vault");
      else return pair;
      return `${key}=vault`;
    } catch {
      return pair;
    }
  });
}

for (const grant of ["monitor", "ask", "manage"] as const) {
  Deno.test(`--grant ${grant} --scope @tag:ai: nothing of the qubes outside is to be learned`, () => {
    let allowed = 0;
    for (const operation of OPERATIONS.values()) {
      for (const target of ["ai-1", "ai-2", "agent", "nobody"]) {
        const pairs = pairsOf(operation, target);
        const [one, other] = [ONE, OTHER].map((system) =>
          answer(system, grant, operation.name, pairs)
        );
        assertEquals(one, other, `${operation.name} ${pairs.join(" ")}`);
        const guess = guessing(operation, pairs);
        const [guessed, missed] = [ONE, OTHER].map((system) =>
          answer(system, grant, operation.name, guess)
        );
        assertEquals(guessed, missed, `${operation.name} ${guess.join(" ")}`);
        if (one?.startsWith("allow\n")) allowed++;
        for (const { name, label, bytes, tags } of ONE.qubes.slice(OWN.length)) {
          for (const secret of [label, String(bytes), ...tags, ...name === "ai" ? [] : [name]]) {
            assert(!one?.includes(secret), `${operation.name} tells of ${secret}: ${one}`);
          }
        }
      }
    }
    assert(allowed > 30, `only ${allowed} questions were answered`);
  });

  Deno.test(`--grant ${grant} --scope @tag:ai: a qube outside is answered like one that there is not`, () => {
    for (const operation of OPERATIONS.values()) {
      const [outside, nobody] = ["vault", "nobody"].map((target) =>
        answer(ONE, grant, operation.name, pairsOf(operation, target))
      );
      assertEquals(outside, nobody, operation.name);
    }
  });
}

Deno.test("every operation that reads of a qube, or lists, has an output here", () => {
  const all = [...OPERATIONS.values()].filter(({ level, lists, parameters, isForOperator }) =>
    !isForOperator && level === "monitor" && (lists || parameters.has("vm"))
  );
  assertEquals(all.map(({ name }) => name).filter((name) => !(name in PRINTS)), []);
});
