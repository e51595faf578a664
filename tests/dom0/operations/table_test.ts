// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LEVELS, type Operation, ResultError } from "../../../dom0/operations/operation.ts";
import { ParameterError, type Value } from "../../../dom0/operations/parameter.ts";
import { recogniseNamed, recogniseWords } from "../../../dom0/operations/recognise.ts";
import { parametersOf } from "../../../dom0/operations/spelling.ts";
import { operationSeconds, SLOW_OPERATIONS } from "../../../shared/protocol/operation_time.ts";
import { describeOperation, OPERATIONS } from "../../../dom0/operations/table.ts";
import { createView } from "../../../dom0/operations/view.ts";

interface Case {
  readonly name: string;
  readonly pairs: readonly string[];
  readonly argvs: readonly (readonly string[])[];
}

const CASES: readonly Case[] = JSON.parse(
  Deno.readTextFileSync(new URL("../../vectors/operations.json", import.meta.url)),
);

Deno.test("what has a time of its own is an operation, and no other rule sets it", () => {
  assert(SLOW_OPERATIONS.length >= 20);
  assertEquals(SLOW_OPERATIONS.filter((name) => !OPERATIONS.has(name)), []);
  for (const [name, { timeoutSeconds }] of OPERATIONS) {
    assertEquals(timeoutSeconds, operationSeconds(name));
    assert(timeoutSeconds <= 24 * 3600, name);
  }
});

Deno.test("every operation has a vector, and the corpus is whole", () => {
  assert(CASES.length >= 100, `only ${CASES.length}`);
  const covered = new Set(CASES.map(({ name }) => name));
  assertEquals([...OPERATIONS.keys()].filter((name) => !covered.has(name)), []);
});

for (const { name, pairs, argvs } of CASES) {
  Deno.test(`op ${name} ${pairs.join(" ")}: runs ${JSON.stringify(argvs)}`, () => {
    const named = recogniseNamed(name, pairs);
    assertEquals(named.argvs, argvs);
    const [only, ...more] = argvs;
    if (only === undefined || more.length > 0) return;
    const read = recogniseWords(only);
    assertEquals(read?.operation.name, name, "its own words are this operation");
    for (const [key, value] of named.values) assertEquals(read?.values.get(key), value);
  });
}

/** Words that would be something else than a value if a tool got them. */
const HOSTILE = [
  ...["--", "-f", "--force", "--help", "-", "--all", "\n", "a\nb", "a\x00b", "a\x1b[2J", "\u2028"],
  ...["wörk\n", "x".repeat(5_000), "-1", "--dispvm", "@dispvm\n"],
];
/** Values that no name, number or address is, whatever tool it goes to. */
const NOT_A_NAME = [
  ...[
    "",
    " ",
    "a b",
    "$(id)",
    "`id`",
    "a;b",
    "a|b",
    "*",
    "../x",
    "/etc/../x",
    "а",
    "ｗork",
    "work\u200b",
  ],
  ...["'", '"', "a'b", "\\", "none\n", "a=b", "a&b", "a>b", "~", "#", "%", "{a,b}", "!"],
];
const FREE = new Set(["value", "notes", "command", "comment", "expire"]);

for (const operation of OPERATIONS.values()) {
  for (const [key, parameter] of operation.parameters) {
    Deno.test(`${operation.name} refuses hostile values of ${key}`, () => {
      const taken = (word: string): boolean => {
        try {
          parameter.parse(word);
          return true;
        } catch (error) {
          assert(error instanceof ParameterError, `${error}`);
          assert(!/[\p{Cc}\p{Zl}]/u.test(error.message), "the message can be shown");
          assert(error.message.length < 400);
          return false;
        }
      };
      assertEquals(HOSTILE.filter(taken), []);
      // "~" is the home of a qube's user, read as that in the qube and by no shell of dom0.
      const names = NOT_A_NAME.filter((word) => word !== "~" || !operation.isForOperator);
      if (!FREE.has(key)) assertEquals(names.filter(taken), []);
    });
  }

  Deno.test(`${operation.name}: its description holds together`, () => {
    assert(LEVELS.includes(operation.level));
    assert(/^[a-z0-9]+(\.[a-z0-9]+)+$/.test(operation.name));
    assert(/^[A-Z].*[^.]$/.test(operation.summary), "a line without a full stop");
    if (operation.level === "monitor") assertEquals(operation.destructive, false);
    const carried = new Set(operation.steps.flatMap(parametersOf));
    assertEquals([...operation.parameters.keys()].filter((key) => !carried.has(key)), []);
    const plain = describeOperation(operation);
    assertEquals(JSON.parse(JSON.stringify(plain)), plain, "plain data");
  });
}

Deno.test("what a schema says of a value is what its parser says", () => {
  for (const { parameters } of OPERATIONS.values()) {
    for (const { schema, parse } of parameters.values()) {
      for (const word of [...HOSTILE, ...NOT_A_NAME, "work", "4096", "tcp", "usb", "private"]) {
        const inSchema = schema.pattern === undefined
          ? schema.enum === undefined || schema.enum.includes(word)
          : new RegExp(schema.pattern, "u").test(word) && word.length <= (schema.maxLength ?? 0);
        let parsed: Value | null = null;
        try {
          parsed = parse(word);
        } catch (error) {
          if (!(error instanceof ParameterError)) throw error;
        }
        if (parsed !== null) assert(inSchema, `${word}: ${JSON.stringify(schema)}`);
      }
    }
  }
});

Deno.test("a backup touches the qubes that are named, and dom0 unless they go to another qube", () => {
  const touched = (name: string, ...pairs: readonly string[]) =>
    recogniseNamed(name, ["passphrase_file=/root/p", "location=/b", ...pairs]).touches
      .map((qube) => qube ?? "dom0").toSorted();
  assertEquals(touched("backup.start"), ["dom0"]);
  assertEquals(touched("backup.start", "dest_vm=nas"), ["dom0", "nas"], "all that is marked");
  assertEquals(touched("backup.start", "vms=a,b"), ["a", "b", "dom0"], "a file in dom0");
  assertEquals(touched("backup.start", "vms=a,b", "dest_vm=nas"), ["a", "b", "nas"]);
  assertEquals(touched("backup.restore", "vms=a", "dest_vm=nas"), ["a", "dom0", "nas"]);
});

Deno.test("what may be given more than once is read in any place, and never as something else", () => {
  const start = ["qvm-backup", "-y", "-p", "/root/p"];
  const values = (...words: readonly string[]) =>
    recogniseWords([...start, ...words])?.values ?? new Map();
  const read = values("-x", "a", "/b", "c", "d", "--exclude=e");
  assertEquals([read.get("vms"), read.get("exclude")], ["c,d", "a,e"]);
  assertEquals(values("/b", "c,d").size, 0, "a comma is no part of a name");
  assertEquals(values("/b", "c", "c").size, 0, "the same twice");
  assertEquals(values("/b", "c", "-x").size, 0, "an option without its value");
  assertEquals(values("/b", "dom0").size, 0);
});

const SHELL_WORDS: readonly (readonly string[])[] = [
  [],
  ["bash"],
  ["/usr/bin/qvm-ls", "--raw-list"],
  ["./qvm-ls"],
  ["qvm-ls", "--help"],
  ["qvm-ls", "-h"],
  ["qvm-ls", "--raw-list", "--raw-list"],
  ["qvm-ls", "--raw"],
  ["qvm-prefs"],
  ["qvm-prefs", "--help"],
  ["qvm-prefs", "work", "memory", "4096", "more"],
  ["qvm-prefs", "work", "-s", "memory", "4096"],
  ["qvm-prefs", "dom0", "memory", "4096"],
  ["qvm-prefs", "work", "memory", "-1"],
  ["qvm-prefs", "work", "default-user", "x"],
  ["qvm-prefs", "--", "work", "memory", "4096"],
  ["qvm-prefs", "--set", "--set", "work", "memory", "4096"],
  ["qvm-remove", "work"],
  ["qvm-remove", "-f", "work", "vault"],
  ["qvm-start", "--all"],
  ["qvm-start", "work", "vault"],
  ["qvm-start", "--cdrom=vault:/x", "work"],
  ["qvm-shutdown", "--wait", "--wait", "work"],
  ["qvm-shutdown", "--wait=1", "work"],
  ["qvm-tags", "work", "add"],
  ["qvm-tags", "work", "add", "a", "b"],
  ["qvm-tags", "--verbose", "work", "add", "a"],
  ["qvm-firewall", "work", "add", "action=accept", "proto=tcp", "proto=udp"],
  ["qvm-firewall", "work", "add", "proto=tcp"],
  ["qvm-run", "-p", "work", "id"],
  ["qvm-run", "-p", "-n", "work", "ls", "-l"],
  ["qvm-run", "-p", "-n", "--dispvm", "work", "id"],
  ["cat", "/etc/qubes/policy.d/../remote.conf"],
  ["cat", "/etc/qubes/policy.d/../../shadow.policy"],
  ["cat", "/etc/qubes/policy.d/a.policy", "/etc/shadow"],
  ["cat", "/etc/shadow"],
  ["ls", "-1", "/etc"],
  ["journalctl", "--no-pager", "-u", "sshd", "-n", "5"],
  ["qubes-dom0-update", "-y", "evil-package"],
  ["qvm-volume", "revert", "work:private:x", "1"],
  ["xl", "destroy", "work"],
  ["qubesd-query", "--empty", "--fail", "dom0", "admin.vm.Kill", "work"],
  ["qubesd-query", "--empty", "--fail", "dom0", "admin.label.List", "dom0", "x"],
  ["qubesd-query", "--fail", "dom0", "admin.label.List", "dom0"],
  ["hostname", "evil"],
  ["__proto__"],
  ["constructor"],
];

for (const words of SHELL_WORDS) {
  Deno.test(`recogniseWords() leaves ${JSON.stringify(words)} to the shell`, () => {
    assertEquals(recogniseWords(words)?.operation.name, undefined);
  });
}

Deno.test("options are read in each of their spellings, before the words or after them", () => {
  const read = (...words: string[]): readonly [string | undefined, Record<string, Value>] => {
    const found = recogniseWords(words);
    return [found?.operation.name, Object.fromEntries(found?.values ?? [])];
  };
  const created = { vm: "work", label: "red", template: "fedora-42" };
  for (
    const words of [
      ["-l", "red", "-t", "fedora-42", "work"],
      ["--label=red", "--template=fedora-42", "work"],
      ["work", "--template", "fedora-42", "--label", "red"],
      ["-t", "fedora-42", "work", "-l", "red"],
    ]
  ) assertEquals(read("qvm-create", ...words), ["vm.create", created]);
  assertEquals(read("qvm-create", "-l", "work"), [undefined, {}]);
  assertEquals(read("qvm-shutdown", "work", "--wait"), [
    "vm.shutdown",
    { vm: "work", wait: true, force: false },
  ]);
  assertEquals(read("qvm-firewall", "work", "add", "drop", "10.0.0.0/8", "tcp", "443"), [
    "vm.firewall.add",
    { vm: "work", action: "drop", dsthost: "10.0.0.0/8", proto: "tcp", dstports: "443" },
  ]);
});

Deno.test("op: what is wrong is said", () => {
  const wrong = (name: string, ...pairs: string[]): string =>
    assertThrows(() => recogniseNamed(name, pairs), ParameterError).message;
  assertEquals(wrong("vm.explode"), 'there is no operation "vm.explode"');
  assertEquals(wrong("constructor"), 'there is no operation "constructor"');
  assertEquals(wrong("vm.start"), "vm.start needs vm=");
  assertEquals(wrong("vm.start", "work"), '"work" is not KEY=VALUE');
  assertEquals(
    wrong("vm.start", "qube=work"),
    "vm.start has no parameter qube; it has: vm, skip_if_running",
  );
  assertEquals(wrong("vm.start", "vm=work", "vm=work"), "vm is given twice");
  assertEquals(wrong("vm.start", "vm=1work"), 'vm: "1work" is not a qube name');
  assertEquals(
    wrong("vm.start", "vm=work", "skip_if_running=1"),
    'skip_if_running: "1" is neither true nor false',
  );
  assertEquals(
    wrong("journal.read", "unit=qubesd", "lines=5000"),
    "lines: 5000 is not a number of lines: 1 to 1000",
  );
});

/** What the tools print, made by hand after their sources; names, not content, matter. */
const RESULTS: readonly (readonly [name: string, text: string, value: unknown])[] = [
  ["vm.names", "dom0\nwork\n", ["dom0", "work"]],
  ["vm.list", "dom0|Running|AdminVM|black|-|-\nwork|Halted|AppVM|red|fedora-42|sys-firewall\n", [
    {
      name: "dom0",
      state: "Running",
      class: "AdminVM",
      label: "black",
      template: null,
      netvm: null,
    },
    {
      name: "work",
      state: "Halted",
      class: "AppVM",
      label: "red",
      template: "fedora-42",
      netvm: "sys-firewall",
    },
  ]],
  ["vm.prefs.list", "autostart     D  False\nkernelopts    -  \nmemory        -  400\nmac  U\n", {
    autostart: { value: "False", isDefault: true },
    kernelopts: { value: "", isDefault: false },
    memory: { value: "400", isDefault: false },
    mac: { value: null, isDefault: false },
  }],
  ["vm.features.list", "gui            1\nservice.cups\nvm-config.x    two words\n", {
    gui: "1",
    "service.cups": "",
    "vm-config.x": "two words",
  }],
  [
    "vm.firewall.list",
    "action=accept proto=tcp dst4=10.0.0.1/32 dstports=443-443 comment=a b\naction=drop\n",
    [
      { action: "accept", proto: "tcp", dst4: "10.0.0.1/32", dstports: "443-443", comment: "a b" },
      { action: "drop" },
    ],
  ],
  ["device.list", "sys-usb:2-1   Logitech Mouse, black  work\nsys-usb:2-2   A disk\n", [
    { device: "sys-usb:2-1", description: "Logitech Mouse, black", used_by: "work" },
    { device: "sys-usb:2-2", description: "A disk", used_by: null },
  ]],
  ["pool.list", "NAME       DRIVER\nvarlibqubes  file-reflink\n", [{
    name: "varlibqubes",
    driver: "file-reflink",
  }]],
  ["label.list", "0\0red\norange\n", ["red", "orange"]],
  ["xen.info", "host                   : dom0\nxen_commandline        : placeholder a=b: c\n", {
    host: "dom0",
    xen_commandline: "placeholder a=b: c",
  }],
  [
    "xen.list",
    "Name      ID   Mem VCPUs\tState\tTime(s)\nDomain-0   0  4096     4     r-----   123.4\n",
    [
      {
        name: "Domain-0",
        id: "0",
        memory_mib: "4096",
        vcpus: "4",
        state: "r-----",
        seconds: "123.4",
      },
    ],
  ],
  ["template.list", "installed|fedora-42|0:4.3.0-202511011200|qubes-templates-itl\n", [
    {
      status: "installed",
      name: "fedora-42",
      evr: "0:4.3.0-202511011200",
      repository: "qubes-templates-itl",
    },
  ]],
  [
    "events.read",
    "2026-11-28T21:14:23+0000 dom0 systemd[1]: Starting qubesd.service - Qubes OS daemon...\n" +
    "2026-11-28T21:14:25+0000 dom0 qubesd[1521]: INFO: vm.work: Starting qube work\n" +
    "2026-11-28T21:14:26+00:00 dom0 qubesd[1521]: vm.sys-net: Starting sys-net\n" +
    "2026-11-28T21:14:27+0000 dom0 qubesd[1521]: ERROR: vm.work: Start failed: vm.work: no\n" +
    "2026-11-28T21:14:27+0000 dom0 qubesd[1521]: Traceback (most recent call last):\n" +
    "-- Boot 0123456789abcdef0123456789abcdef --\n" +
    "2026-11-28T21:14:28+0100 dom0 qubesd[1521]: vm.work: of another zone\n" +
    "2026-11-28T21:14:28+0000 dom0 cat[7]: qubesd[1521]: vm.work: forged\n",
    [
      {
        time: "2026-11-28T21:14:25Z",
        vm: "work",
        level: "info",
        message: "Starting qube work",
      },
      { time: "2026-11-28T21:14:26Z", vm: "sys-net", level: null, message: "Starting sys-net" },
      {
        time: "2026-11-28T21:14:27Z",
        vm: "work",
        level: "error",
        message: "Start failed: vm.work: no",
      },
    ],
  ],
  ["vm.start", "", {}],
];

for (const [name, text, value] of RESULTS) {
  Deno.test(`the output of ${name} becomes a value`, () => {
    assertEquals((OPERATIONS.get(name) as Operation).result.parse(text), value as never);
  });
}

for (const [name, text, value] of RESULTS) {
  Deno.test(`the value of ${name} is printed as the tool prints it, and read again`, () => {
    const { result } = OPERATIONS.get(name) as Operation;
    assertEquals(result.parse(result.format(result.parse(text))), value as never);
  });
}

Deno.test("what qubesd refuses is no list of labels", () => {
  const { result } = OPERATIONS.get("label.list") as Operation;
  for (const text of ["", "red\n", "2\0PermissionDenied\0\0no\0"]) {
    assertThrows(() => result.parse(text), ResultError);
  }
});

const VIEW = createView({
  hidden: new Set(["vault", "sys-secret"]),
  visible: new Set(["work"]),
});

/** Output that names hidden qubes wherever the tool may name one; what is left of it. */
const SEEN: readonly (readonly [name: string, text: string, seen: string])[] = [
  ["vm.names", "dom0\nvault\nwork\n", "dom0\nwork\n"],
  [
    "vm.list",
    "vault|Running|AppVM|black|fedora-42|sys-secret\nwork|Halted|AppVM|red|fedora-42|sys-secret\n",
    "work|Halted|AppVM|red|fedora-42|(not visible)\n",
  ],
  [
    "events.read",
    ["work: Starting NetVM (vault)", "vault: Starting vault", "vault-dm: x", "gone: y"]
      .map((line) => `2026-11-28T21:14:25Z dom0 qubesd[1]: vm.${line}\n`).join(""),
    "2026-11-28T21:14:25Z dom0 qubesd: vm.work: Starting NetVM ((not visible))\n",
  ],
  ["vm.prefs.get", "sys-secret\n", "(not visible)\n"],
  [
    "vm.prefs.list",
    "label   -  red\nnetvm   D  sys-secret\n",
    "label  -  red\nnetvm  D  (not visible)\n",
  ],
  ["vm.features.list", "gui      1\nguivm    vault\n", "gui    1\nguivm  (not visible)\n"],
  [
    "device.list",
    "sys-usb:1-1  A mouse  vault (attached)\nvault:sda    A disk   \nsys-usb:1-2  A key    work (attached), vault (required)\nsys-usb:1-3  A cable\n",
    "sys-usb:1-3  A cable\n",
  ],
  [
    "volume.list",
    "POOL:VOLUME      VMNAME  VOLUME_NAME  REVERT_POSSIBLE\np:appvms/vault   vault   private      Yes\np:appvms/work    work    private      No\n",
    "POOL_VOLUME    VM    VOLUME_NAME  REVERT_POSSIBLE\np:appvms/work  work  private      No\n",
  ],
  [
    "xen.list",
    "Name ID Mem VCPUs State Time(s)\nDomain-0 0 4096 4 r----- 1.0\nvault 3 400 2 -b---- 2.0\nvault-dm 4 144 1 -b---- 2.0\n",
    "NAME      ID  MEMORY_MIB  VCPUS  STATE   SECONDS\nDomain-0  0   4096        4      r-----  1.0\n",
  ],
  ["template.list", "installed|vault|1|x\ninstalled|fedora-42|1|x\n", "installed|fedora-42|1|x\n"],
];

for (const [name, text, seen] of SEEN) {
  Deno.test(`${name} shows no qube that is hidden`, () => {
    const { result } = OPERATIONS.get(name) as Operation;
    assertEquals(result.format(result.keepVisible(result.parse(text), VIEW)), seen);
  });
}

Deno.test("every operation that lists has a test of what it hides", () => {
  const tested = new Set(SEEN.map(([name]) => name));
  const lists = [...OPERATIONS.values()].filter(({ lists }) => lists).map(({ name }) => name);
  assertEquals(lists.filter((name) => !tested.has(name) && name !== "xen.uptime"), []);
});

Deno.test("an operation touches each qube that a value of it names", () => {
  const touched = (name: string, ...pairs: string[]): readonly (string | null)[] => {
    return recogniseNamed(name, pairs).touches;
  };
  assertEquals(touched("xen.info"), [null]);
  assertEquals(touched("vm.start", "vm=work"), ["work"]);
  assertEquals(touched("vm.clone", "vm=work", "new_vm=new"), ["work", "new"]);
  assertEquals(touched("vm.create", "vm=new", "label=red", "template=fedora-42"), [
    "new",
    "fedora-42",
  ]);
  assertEquals(touched("vm.prefs.set", "vm=work", "property=netvm", "value=vault"), [
    "work",
    "vault",
  ]);
  assertEquals(touched("vm.prefs.set", "vm=work", "property=netvm", "value=None"), ["work"]);
  assertEquals(touched("vm.prefs.set", "vm=work", "property=netvm", "value="), ["work"]);
  assertEquals(touched("vm.prefs.set", "vm=work", "property=guivm", "value=dom0"), ["work", null]);
  assertEquals(touched("vm.prefs.set", "vm=work", "property=label", "value=vault"), ["work"]);
  const usb = ["device_class=usb", "vm=work"];
  assertEquals(touched("device.attach", ...usb, "device=sys-usb:2-1"), ["work", "sys-usb"]);
  assertEquals(touched("device.attach", ...usb, "device=dom0:00_1f.6"), ["work", null]);
  assertThrows(() => touched("device.attach", ...usb, "device=none:1"), ParameterError);
  const netvm = ["vm=work", "property=netvm"];
  assertThrows(() => touched("vm.prefs.set", ...netvm, "value=a b"), ParameterError);
  assertEquals(recogniseWords(["qvm-prefs", "work", "netvm", "a b"]), null);
});
