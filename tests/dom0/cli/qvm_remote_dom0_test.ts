// SPDX-License-Identifier: GPL-2.0-or-later
/** The operator's commands, as processes of their own, in a folder that stands for dom0. @module */

import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { grantText } from "../../../dom0/policy/grant_file.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { COMMANDS, HELP } from "../../../dom0/cli/command_table.ts";
import { openAudit } from "../../../dom0/record/audit_log.ts";
import { takeInstanceLock } from "../../../dom0/daemon/instance_lock.ts";
import { dom0Paths, type Paths } from "../../../dom0/settings/paths.ts";
import {
  filesBelow,
  KEY,
  KEY_TEXT,
  modeOf,
  namesIn,
  OTHER_KEY_TEXT,
  requestId,
  withFolder,
} from "../fixture.ts";
import { writeExecutable } from "../../executable.ts";

const PROGRAM = new URL("../../../dom0/qvm-remote-dom0.ts", import.meta.url).pathname;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Dom0 {
  readonly paths: Paths;
  readonly bin: string;
  run(
    words: readonly string[],
    stdin?: string,
    environment?: Readonly<Record<string, string>>,
  ): Promise<Ended>;
}

/** Everything that was printed or written in a test is searched for the key at its end. */
async function withDom0(test: (dom0: Dom0) => Promise<void>): Promise<void> {
  await withFolder(async (root) => {
    const paths = dom0Paths(root);
    const bin = `${root}/bin`;
    await Deno.mkdir(`${root}/etc/qubes`, { recursive: true });
    await Deno.mkdir(bin);
    let said = "";
    const run: Dom0["run"] = async (words, stdin = "", environment = {}) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-check", "-A", PROGRAM, ...words],
        clearEnv: true,
        env: {
          HOME: Deno.env.get("HOME") ?? "/root",
          DENO_DIR: Deno.env.get("DENO_DIR") ?? "",
          PATH: `${bin}:/usr/bin:/bin`,
          QUBES_CLAW_ROOT: root,
          NO_COLOR: "1",
          ...environment,
        },
        ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
      }).spawn();
      const written = new Blob([stdin]).stream().pipeTo(child.stdin).catch(() => {});
      const { code, stdout, stderr } = await child.output();
      await written;
      const ended = { code, stdout: decode(stdout), stderr: decode(stderr) };
      said += ended.stdout + ended.stderr;
      assert(!/^qvm-remote-dom0: bug/m.test(ended.stderr), ended.stderr);
      return ended;
    };
    await test({ paths, bin, run });
    for (const key of [KEY_TEXT, OTHER_KEY_TEXT]) {
      // F24: the original printed keys, and showed 16 digits of them.
      for (let at = 0; at + 16 <= key.length; at += 8) {
        const part = key.slice(at, at + 16);
        assert(!said.includes(part), "a part of a key was printed");
        for (const [path, text] of filesBelow(root)) {
          const isKeyFile = path.startsWith(paths.keyFolder) && path.endsWith(".key");
          assert(isKeyFile || !text.includes(part), `a part of a key is in ${path}`);
        }
      }
    }
  });
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function readText(path: string): string {
  return Deno.readTextFileSync(path);
}

interface AuditLine {
  readonly event: string;
  readonly [name: string]: unknown;
}

function auditOf({ auditFile }: Paths): AuditLine[] {
  return readText(auditFile).trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("qvm-remote-dom0: help names every command; version is one line", () =>
  withDom0(async ({ run }) => {
    const [help, short, ofCommand, version] = await Promise.all([
      run(["--help"]),
      run(["-h"]),
      run(["authorize", "--help"]),
      run(["--version"]),
    ]);
    assertEquals([help, short, ofCommand], Array(3).fill({ code: 0, stdout: HELP, stderr: "" }));
    for (const name of COMMANDS.keys()) {
      assertMatch(help.stdout, new RegExp(`^  ${name}( |$)`, "m"));
    }
    assertEquals([version.code, version.stderr], [0, ""]);
    assertMatch(version.stdout, /^qvm-remote-dom0 [0-9.]+\n$/);
  }));

Deno.test("a newer program was here: the daemon and each command end with 78, and only stops work", () =>
  withDom0(async ({ paths, bin, run }) => {
    await writeExecutable(`${bin}/systemctl`, "#!/bin/sh\nexit 0\n");
    await Deno.mkdir(paths.libFolder, { recursive: true });
    await Deno.writeTextFile(paths.formatsFile, "ledger 1\naudit 2\n");
    const says = `qvm-remote-dom0: error: ${paths.auditFile} is in version 2, and this program`;
    for (const words of [[], ["--dry-run"], ["keys"], ["audit", "verify"], ["revoke", "work"]]) {
      const { code, stderr } = await run(words);
      assertEquals([words, code], [words, 78], stderr);
      assertStringIncludes(stderr, says);
      assertMatch(stderr, /\nqvm-remote-dom0: hint: a newer program wrote it: install that one/);
    }
    assertEquals(namesIn(paths.libFolder), ["formats"]);
    assertEquals((await run(["status"])).code, 1); // it does not run
    const locked = await run(["lockdown"]);
    assertEquals(locked.code, 78);
    assertStringIncludes(locked.stderr, says); // not on record, but in force
    assert((await Deno.stat(paths.lockdownFile)).isFile);
  }));

const USAGE_ERRORS: readonly (readonly string[])[] = [
  ["frobnicate"],
  ["--frobnicate"],
  ["--vm"],
  ["--once", "--once"],
  ["--once=yes"],
  ["authorize"],
  ["authorize", "--frobnicate", "work"],
  ["authorize", "--grant", "some", "work"],
  ["authorize", "--grant", "monitor", "--scope", "ai", "work"],
  ["authorize", "--scope", "@tag:ai", "work"],
  ["policy"],
  ["policy", "chek"],
  ["policy", "check", "more"],
  ["policy", "explain", "work"],
  ["policy", "explain", "work", "--"],
  ["ops", "all"],
  ["authorize", "--grant", "full", "--fetch", "work", "0".repeat(64)],
  ["authorize", "--grant", "full", "work", "0".repeat(64), "more"],
  ["revoke"],
  ["revoke", "work", "lab"],
  ["connect"],
  ["disconnect"],
  ["keys", "work"],
  ["status", "--all"],
  ["queue", "burn"],
  ["queue", "status", "work", "lab"],
  ["audit"],
  ["audit", "burn"],
  ["audit", "show", "--since", "yesterday"],
  ["audit", "show", "-n", "0"],
  ["audit", "show", "-n", "many"],
  ["audit", "show", "extra"],
  ["audit", "verify", "--vm", "work"],
  ["audit", "report", "--since", "yesterday"],
  ["audit", "report", "work"],
  ["check-config", "extra"],
  ["lockdown", "now"],
  ["unlock", "now"],
  ["enable", "now"],
  ["disable", "now"],
  ["restart", "now"],
];

Deno.test("qvm-remote-dom0: words that do not fit end with 2, say which, and change nothing", () =>
  withDom0(async ({ run, paths }) => {
    for (let at = 0; at < USAGE_ERRORS.length; at += 2) { // two at once: one for each core
      await Promise.all(
        USAGE_ERRORS.slice(at, at + 2).map(async (words) => {
          const { code, stdout, stderr } = await run(words);
          assertEquals([words, code, stdout], [words, 2, ""]);
          assertMatch(
            stderr,
            /^qvm-remote-dom0: error: [^\n]+\n(qvm-remote-dom0: hint: [^\n]+\n)*$/,
          );
        }),
      );
    }
    assertEquals(namesIn(paths.config.replace("/remote.conf", "")), []);
  }));

Deno.test("authorize: the key comes on stdin, and everything that is needed is there, private", () =>
  withDom0(async ({ run, paths }) => {
    await Deno.writeTextFile(
      paths.config,
      "# mine\nQVM_REMOTE_VMS=lab # old\nQVM_REMOTE_PARALLEL=2\n",
    );
    const { code, stdout, stderr } = await run(
      ["authorize", "--grant", "full", "work"],
      `${KEY_TEXT}\n`,
    );
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(
      stdout,
      `Authorized VM 'work'. Key stored in ${paths.keyFolder}/work.key\n`,
    );
    assertStringIncludes(stdout, `Fingerprint: ${KEY.fingerprint}\n`);
    assertStringIncludes(stdout, "The daemon is not running");

    assertEquals(readText(`${paths.keyFolder}/work.key`).trim(), KEY_TEXT);
    assertEquals(
      readText(paths.config),
      '# mine\nQVM_REMOTE_VMS="lab work"\nQVM_REMOTE_PARALLEL=2\n',
    );
    assertMatch(readText(`${paths.policyFolder}/50-work.policy`), /^\* +work +\* +allow$/m);
    assertEquals([modeOf(paths.keyFolder), modeOf(`${paths.keyFolder}/work.key`)], [0o700, 0o600]);
    assertEquals([modeOf(paths.policyFolder), modeOf(`${paths.policyFolder}/50-work.policy`)], [
      0o700,
      0o600,
    ]);
    assertEquals([modeOf(paths.auditFile), modeOf(paths.logFile)], [0o600, 0o600]);
    const [record] = auditOf(paths);
    assertEquals(
      [record?.event, record?.["action"], record?.["vm"], record?.["fingerprint"]],
      ["operator", "authorize", "work", KEY.fingerprint],
    );
    // A second time, with protocol 1: the same files, another key.
    const again = await run(["authorize", "--grant=full", "--accept-v1", "work"], OTHER_KEY_TEXT);
    assertEquals(again.code, 0);
    assertEquals(namesIn(paths.keyFolder), ["work.accept-v1", "work.key"]);
    assertStringIncludes(readText(paths.config), 'QVM_REMOTE_VMS="lab work"\n');
  }));

Deno.test("authorize: a key on the command line works, with a warning", () =>
  withDom0(async ({ run, paths }) => {
    const { code, stderr } = await run(["authorize", "--grant", "full", "work", KEY_TEXT]);
    assertEquals(code, 0);
    assertMatch(stderr, /^qvm-remote-dom0: warning: a key on the command line can be seen/);
    assertEquals(readText(`${paths.keyFolder}/work.key`).trim(), KEY_TEXT);
  }));

const REFUSED: readonly {
  readonly name: string;
  readonly words: readonly string[];
  readonly stdin?: string;
  readonly config?: string;
  readonly says: string;
}[] = [
  {
    name: "half a key",
    words: ["--grant", "full", "work"],
    stdin: KEY_TEXT.slice(0, 32),
    says: "invalid key",
  },
  {
    name: "a key in capitals",
    words: ["--grant", "full", "work"],
    stdin: KEY_TEXT.toUpperCase(),
    says: "invalid key",
  },
  {
    name: "a key with 0x",
    words: ["--grant", "full", "work"],
    stdin: "0x" + KEY_TEXT.slice(2),
    says: "invalid key",
  },
  { name: "no key", words: ["--grant", "full", "work"], says: "invalid key" },
  {
    name: "a long line",
    words: ["--grant", "full", "work"],
    stdin: "a".repeat(5000),
    says: "too long",
  },
  {
    name: "no grant, and nobody to ask",
    words: ["work"],
    stdin: KEY_TEXT,
    says: "it is not said what work may do",
  },
  {
    name: "a name that is a path",
    words: ["--grant", "full", "../../x"],
    stdin: KEY_TEXT,
    says: "not the name of a qube",
  },
  {
    name: "dom0",
    words: ["--grant", "full", "dom0"],
    stdin: KEY_TEXT,
    says: "not the name of a qube",
  },
  {
    name: "an escape in the name",
    words: ["--grant", "full", "a\x1b[31m"],
    stdin: KEY_TEXT,
    says: "a\\u{1b}[31m",
  },
  {
    name: "a configuration that is bad",
    ...{ words: ["--grant", "full", "work"], stdin: KEY_TEXT },
    ...{ config: "QVM_REMOTE_VMS=lab\nX=1\n", says: "remote.conf:2: " },
  },
];

for (const { name, words, stdin = "", config, says } of REFUSED) {
  Deno.test(`authorize: refused, ${name}; and nobody is authorised`, () =>
    withDom0(async ({ run, paths }) => {
      if (config !== undefined) await Deno.writeTextFile(paths.config, config);
      const { code, stdout, stderr } = await run(["authorize", ...words], stdin);
      assertEquals([code, stdout], [1, ""]);
      assertStringIncludes(stderr, says);
      assert(/^[\x20-\x7e\n]*$/.test(stderr), stderr);
      assertEquals(
        [...filesBelow(paths.config.replace("/remote.conf", "")).keys()].filter((path) =>
          path.endsWith(".key")
        ),
        [],
      );
      if (config !== undefined) assertEquals(readText(paths.config), config);
    }));
}

Deno.test("authorize: a VM that qubesd does not know is refused", () =>
  withDom0(async ({ run, paths, bin }) => {
    const text = '#!/bin/sh\nfor last; do :; done\n[ "$last" = work ]\n';
    writeExecutable(`${bin}/qvm-check`, text);
    const ghost = await run(["authorize", "--grant", "full", "ghost"], KEY_TEXT);
    assertEquals(ghost.code, 1);
    assertStringIncludes(ghost.stderr, "VM 'ghost' does not exist");
    const work = await run(["authorize", "--grant", "full", "work"], KEY_TEXT);
    assertEquals([work.code, namesIn(paths.keyFolder)], [0, ["work.key"]]);
  }));

Deno.test("revoke: key, grant and list entry go, and it is recorded", () =>
  withDom0(async ({ run, paths }) => {
    await run(["authorize", "--grant", "full", "--accept-v1", "work"], KEY_TEXT);
    await run(["authorize", "--grant", "full", "lab"], OTHER_KEY_TEXT);
    const revoked = await run(["revoke", "work"]);
    assertEquals(revoked, { code: 0, stdout: "Revoked VM 'work'.\n", stderr: "" });
    assertEquals([namesIn(paths.keyFolder), namesIn(paths.policyFolder)], [["lab.key"], [
      "50-lab.policy",
    ]]);
    assertStringIncludes(readText(paths.config), 'QVM_REMOTE_VMS="lab"');
    const again = await run(["revoke", "work"]);
    assertEquals([again.code, again.stderr], [1, "VM 'work' has no key\n"]);
    assertEquals(
      auditOf(paths).map((record) => [record["action"], record["vm"], record["had_key"]]),
      [
        ["authorize", "work", undefined],
        ["authorize", "lab", undefined],
        ["revoke", "work", true],
        ["revoke", "work", false],
      ],
    );
  }));

Deno.test("revoke: with a bad configuration the key goes all the same, and that is recorded", () =>
  withDom0(async ({ run, paths }) => {
    await run(["authorize", "--grant", "full", "work"], KEY_TEXT);
    await Deno.writeTextFile(paths.config, 'QVM_REMOTE_VMS="work"\nnonsense\n');
    const { code, stderr } = await run(["revoke", "work"]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "remote.conf:2: ");
    assertEquals([namesIn(paths.keyFolder), namesIn(paths.policyFolder)], [[], []]);
    const last = auditOf(paths).at(-1);
    assertEquals([last?.["action"], last?.["had_key"]], ["revoke", true]);
  }));

Deno.test("keys: fingerprints, for people and for machines", () =>
  withDom0(async ({ run, paths }) => {
    assertEquals(await run(["keys"]), { code: 0, stdout: "No VMs authorized.\n", stderr: "" });
    assertEquals((await run(["keys", "--json"])).stdout, "[]\n");
    await run(["authorize", "--grant", "full", "--accept-v1", "work"], KEY_TEXT);
    await run(["authorize", "--grant", "full", "lab"], KEY_TEXT);
    const people = await run(["keys"]);
    assertEquals(
      people.stdout,
      `lab${" ".repeat(29)}${KEY.fingerprint}\nwork${
        " ".repeat(28)
      }${KEY.fingerprint}  accepts v1\n`,
    );
    assertEquals(JSON.parse((await run(["keys", "--json"])).stdout), [
      { vm: "lab", fingerprint: KEY.fingerprint, accepts_v1: false },
      { vm: "work", fingerprint: KEY.fingerprint, accepts_v1: true },
    ]);
    // One that cannot be used is said, and hides no other.
    await Deno.chmod(`${paths.keyFolder}/lab.key`, 0o644);
    await Deno.writeTextFile(`${paths.keyFolder}/bad.key`, KEY_TEXT.slice(1), { mode: 0o600 });
    const { code, stdout, stderr } = await run(["keys"]);
    assertEquals([code, stdout.includes("work "), stdout.includes(KEY.fingerprint)], [
      1,
      true,
      true,
    ]);
    for (const vm of ["bad", "lab"]) assertStringIncludes(stderr, `${vm}: its key is not used`);
  }));

Deno.test("status: no daemon is exit 1, said for people and for machines, with what is wrong", () =>
  withDom0(async ({ run, paths }) => {
    assertEquals(await run(["status"]), {
      code: 1,
      stdout: "The daemon is not running.\n",
      stderr: "",
    });
    await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=work\n");
    const { code, stdout } = await run(["status", "--json"]);
    const state = JSON.parse(stdout);
    assertEquals([code, state.running, state.problems.length], [1, false, 1]);
    // What a daemon left that was killed is not taken for one that runs.
    await Deno.mkdir(paths.runFolder, { recursive: true });
    const left = {
      pid: 1,
      startedTicks: 1,
      startedAt: "2026",
      version: "2",
      lockdown: false,
      vms: [],
      problems: [],
    };
    await Deno.writeTextFile(paths.stateFile, JSON.stringify(left));
    assertEquals((await run(["status"])).code, 1);
  }));

Deno.test("lockdown and unlock without a daemon: the file says it, and survives", () =>
  withDom0(async ({ run, paths }) => {
    const none = await run(["unlock"]);
    assertEquals([none.code, none.stderr], [1, "It was not locked down.\n"]);
    for (let n = 0; n < 2; n++) {
      const locked = await run(["lockdown"]);
      assertEquals([locked.code, locked.stderr], [0, ""]);
      assertMatch(locked.stdout, /^Locked down: /);
      assertEquals(modeOf(paths.lockdownFile), 0o600);
    }
    assertEquals(await run(["unlock"]), { code: 0, stdout: "Unlocked.\n", stderr: "" });
    assertEquals(namesIn(paths.config.replace("/remote.conf", "")), []);
    assertEquals(auditOf(paths).map((record) => record["action"]), [
      "lockdown",
      "lockdown",
      "unlock",
    ]);
  }));

Deno.test("authorize: each grant writes the rules that it names, with its scope", () =>
  withDom0(async ({ run, paths }) => {
    const file = `${paths.policyFolder}/50-work.policy`;
    for (const grant of ["monitor", "ask", "manage", "full"] as const) {
      const { code } = await run(["authorize", "--grant", grant, "work"], KEY_TEXT);
      assertEquals([code, readText(file)], [0, grantText(parseVmName("work"), grant, null)]);
    }
    await run(["authorize", "--grant", "manage", "--scope", "@tag:ai", "work"], KEY_TEXT);
    assertEquals(readText(file), grantText(parseVmName("work"), "manage", { tag: "ai" }));
    const { stderr } = await run(["authorize", "--grant", "moniter", "work"], KEY_TEXT);
    assertStringIncludes(stderr, 'did you mean "monitor"?');
  }));

Deno.test("policy check, list, explain; ops", () =>
  withDom0(async ({ run, paths, bin }) => {
    await Deno.mkdir(paths.policyFolder, { mode: 0o700 });
    const file = `${paths.policyFolder}/50-work.policy`;
    await Deno.writeTextFile(file, "@monitor work * allow\nvm.list work * deny\n", { mode: 0o600 });
    const checked = await run(["policy", "check"]);
    assertEquals([checked.code, checked.stdout], [
      0,
      "warning: 50-work.policy:2: this deny has no effect: 50-work.policy:1 says allow to all of it first\n" +
      "Policy is good; rules: 2, warnings: 1.\n",
    ]);
    assertStringIncludes(checked.stderr, "were not checked");
    const listed = await run(["policy", "list"]);
    assertEquals(listed.stdout.split("\n").slice(0, 2), [
      "50-work.policy:1  @monitor work * allow",
      "50-work.policy:2  vm.list work * deny",
    ]);
    const explained = await run(["policy", "explain", "work", "--", "qvm-start", "lab"]);
    assertEquals(
      explained.stdout,
      [
        "operation: vm.start",
        "lab: 50-work.policy:1: @monitor work * allow: another operation",
        "lab: 50-work.policy:2: vm.list work * deny: another operation",
        "decision: deny (no rule)",
        "",
      ].join("\n"),
    );
    const shell = await run(["policy", "explain", "work", "--", "qvm-ls; id"]);
    assertStringIncludes(shell.stdout, "operation: shell");
    writeExecutable(`${bin}/qvm-ls`, "#!/bin/sh\nexit 1\n");
    await Deno.writeTextFile(file, "vm.list work * allow later\n", { mode: 0o600 });
    const bad = await run(["policy", "check"]);
    assertEquals(bad.code, 1);
    assertStringIncludes(bad.stdout, "error: 50-work.policy:1:22: expected one of timeout=");
    const table = await run(["ops"]);
    assertMatch(
      table.stdout,
      /^vm\.start +manage +Start a qube\n +qvm-start \[--skip-if-running\] \{vm\}$/m,
    );
    const json = JSON.parse((await run(["ops", "--json"])).stdout);
    assertEquals(json.length, OPERATIONS.size);
  }));

Deno.test("check-config: exit codes, and each problem with its file and line", () =>
  withDom0(async ({ run, paths }) => {
    const none = await run(["check-config"]);
    assertEquals([none.code, none.stderr], [0, ""]);
    assertMatch(none.stdout, /VMs served: 0\.\n$/);
    await run(["authorize", "--grant", "full", "work"], KEY_TEXT);
    assertMatch((await run(["check-config"])).stdout, /VMs served: 1\.\n$/);

    await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=work\n\nQVM_REMOTE_PARALLEL=0\nFOO=1\n");
    await Deno.writeTextFile(`${paths.policyFolder}/60-bad.policy`, "# fine\n* work * maybe\n");
    const bad = await run(["check-config"]);
    assertEquals(bad.code, 1);
    assertStringIncludes(bad.stdout, `${paths.config}:3: QVM_REMOTE_PARALLEL`);
    assertStringIncludes(bad.stdout, `${paths.config}:4: unknown key "FOO"`);
    assertStringIncludes(bad.stdout, "60-bad.policy:2:10: expected allow, ask or deny");
    const json = await run(["check-config", "--json"]);
    assertEquals([json.code, JSON.parse(json.stdout).ok, JSON.parse(json.stdout).problems.length], [
      1,
      false,
      3,
    ]);

    await Deno.remove(`${paths.policyFolder}/60-bad.policy`);
    await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=work lab\n");
    await Deno.chmod(`${paths.keyFolder}/work.key`, 0o644);
    const keys = await run(["check-config"]);
    assertEquals(keys.code, 1);
    assertStringIncludes(keys.stdout, "work: its key is not used");
    assertStringIncludes(keys.stdout, "lab: not authorised");
    const environment = await run(["check-config"], "", { QVM_REMOTE_PARALLEL: "x" });
    assertStringIncludes(environment.stdout, "environment: QVM_REMOTE_PARALLEL");
  }));

Deno.test("the daemon does not start with a configuration that is bad, and says why", () =>
  withDom0(async ({ run, paths }) => {
    await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=work lab # x\nFOO=1\n");
    const { code, stderr } = await run(["--once"]);
    assertEquals(code, 78);
    assertStringIncludes(stderr, `${paths.config}:2: unknown key "FOO"`);
  }));

/** What is said without a cgroup: the words, the environment, the exit code, and the error. */
const WITHOUT_CGROUP: readonly (readonly [
  name: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
  code: number,
  said: RegExp,
])[] = [
  ["none was given", ["--once"], {}, 1, /error: commands run in cgroups, and .* none of its own/],
  ["--cgroup is a plain folder", ["--once", "--cgroup", "ROOT/x"], {}, 1, /x has no cgroup\.kill/],
  [
    "--cgroup cannot be made",
    ["--once", "--cgroup", "/proc/no-such-folder"],
    {},
    1,
    /error: cannot prepare cgroups for the commands: .*no-such-folder/,
  ],
  ["both options", ["--cgroup", "/x", "--no-cgroup"], {}, 2, /--no-cgroup exclude each other/],
  [
    "under systemd it is tried again, then an error",
    ["--once"],
    { INVOCATION_ID: "x" },
    1,
    /^(cannot prepare cgroups for the commands: .*; trying again\n){4}qvm-remote-dom0: error: cannot/,
  ],
];

for (const [name, words, environment, wanted, said] of WITHOUT_CGROUP) {
  Deno.test(`the daemon does not run commands without a cgroup: ${name}`, () =>
    withDom0(async ({ run, paths, bin }) => {
      const systemdRun = "#!/bin/sh\necho it has no bus >&2\nexit 1\n";
      writeExecutable(`${bin}/systemd-run`, systemdRun);
      const root = paths.config.replace("/etc/qubes/remote.conf", "");
      const here = words.map((word) => word.replace("ROOT", root));
      const { code, stderr } = await run(here, "", environment);
      assertEquals(code, wanted, stderr);
      assertMatch(stderr, said);
      if (wanted === 1) assertStringIncludes(stderr, "hint: or use --no-cgroup");
    }));
}

Deno.test("queue: without a VM there is nothing to ask", () =>
  withDom0(async ({ run }) => {
    assertEquals(await run(["queue"]), { code: 0, stdout: "", stderr: "No VMs configured.\n" });
    assertEquals((await run(["queue", "--json"])).stdout, "[]\n");
    assertEquals((await run(["queue", "--json", "status"])).stdout, "[]\n");
  }));

Deno.test("queue recover: what a daemon that was killed left is answered as interrupted, once", () =>
  withDom0(async ({ run, paths }) => {
    const id = requestId(1);
    const folder = `${paths.outcomeFolder}/work`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${folder}/${id}.request`, `2 ${"0".repeat(32)} ${"a".repeat(64)}\n`);
    await Deno.writeTextFile(`${folder}/${id}.out`, "half");
    {
      // A daemon that has not said yet what it does.
      using lock = await takeInstanceLock(paths.libFolder);
      assertEquals((await run(["queue", "recover"])).stdout, "");
      assert(!(await lock.stat()).isFile);
    }
    const first = await run(["queue", "recover"]);
    assertEquals([first.code, first.stdout], [0, `work: ${id} is answered as interrupted\n`]);
    assertMatch(readText(`${folder}/${id}.meta`), /^outcome=interrupted$[^]*^out_bytes=4$/m);
    assertEquals((await run(["queue", "recover"])).stdout, "");
  }));

Deno.test("enable: the word yes is needed; disable needs none", () =>
  withDom0(async ({ run, bin, paths }) => {
    const log = `${bin}/systemctl.log`;
    writeExecutable(`${bin}/systemctl`, `#!/bin/sh\nprintf '%s\\n' "$*" >>${log}\n`);
    for (const answer of ["", "\n", "y\n", "YES\n", "no\nyes\n"]) {
      const { code, stdout, stderr } = await run(["enable"], answer);
      assertEquals([answer, code], [answer, 1]);
      assertStringIncludes(stdout, "whoever controls such a VM controls dom0");
      assertStringIncludes(stderr, "not enabled");
    }
    assertEquals(namesIn(bin), ["systemctl"]);
    assertEquals((await run(["enable"], "yes\n")).code, 0);
    assertEquals((await run(["disable"])).code, 0);
    assertEquals(
      readText(log),
      "enable --now qvm-remote-dom0.service\ndisable --now qvm-remote-dom0.service\n",
    );
    assertEquals(auditOf(paths).map((record) => record["action"]), ["enable", "disable"]);

    await Deno.writeTextFile(`${bin}/systemctl`, "#!/bin/sh\necho 'no such unit' >&2\nexit 5\n");
    const failed = await run(["disable"]);
    assertEquals(failed.code, 1);
    assertStringIncludes(failed.stderr, "failed with code 5: no such unit");
    assertEquals(auditOf(paths).length, 2, "what did not happen is not recorded as done");
  }));

Deno.test("restart: where nothing of a VM runs, or at once if that is said; only a daemon that runs", () =>
  withDom0(async ({ run, bin, paths }) => {
    const log = `${bin}/systemctl.log`;
    writeExecutable(`${bin}/systemctl`, `#!/bin/sh\nprintf '%s\\n' "$*" >>${log}\n`);
    const none = await run(["restart"]);
    assertEquals(none.code, 1);
    assertStringIncludes(none.stderr, "the daemon does not run");
    assertEquals(namesIn(bin), ["systemctl"]);
    assertEquals((await run(["restart", "--now"])).code, 0);
    assertEquals(readText(log), "restart qvm-remote-dom0.service\n");
    assertEquals(auditOf(paths).map((record) => record["action"]), ["restart"]);
  }));

/** Records of two VMs, ten minutes apart, the last half a minute ago. */
function writeAudit(paths: Paths, maxFileBytes = 1e9): void {
  let nowMs = Date.now() - 50 * 60_000 - 30_000;
  const audit = openAudit({ ...paths, dateMs: () => nowMs, maxFileBytes });
  const rows: readonly (readonly [string, Record<string, string | number>])[] = [
    ["started", { pid: 1 }],
    ["done", { vm: "work", exit: 0 }],
    ["done", { vm: "lab", exit: 3 }],
    ["refused", { vm: "work", reason: "replay", command: "a\x1b[31m\nb" }],
    ["timeout", { vm: "lab", exit: 124 }],
    ["operator", { action: "lockdown", vm: "work" }],
  ];
  for (const [event, fields] of rows) {
    audit.record(event, fields);
    nowMs += 10 * 60_000;
  }
  audit.close();
}

const FILTERS: readonly (readonly [words: readonly string[], seqs: number[]])[] = [
  [[], [1, 2, 3, 4, 5, 6]],
  [["--vm", "work"], [2, 4, 6]],
  [["--vm=lab"], [3, 5]],
  [["--failed"], [3, 4, 5]],
  [["--failed", "--vm", "work"], [4]],
  [["-n", "2"], [5, 6]],
  [["-n1", "--failed"], [5]],
  [["--since", "25m"], [4, 5, 6]],
  [["--since", "1h"], [1, 2, 3, 4, 5, 6]],
  [["--since", "1s"], []],
  [["--since", "2020-01-01"], [1, 2, 3, 4, 5, 6]],
  [["--since", "2999-01-01T00:00:00Z"], []],
  [["--vm", "other"], []],
];

Deno.test("audit show: filters, for people and for machines", () =>
  withDom0(async ({ run, paths }) => {
    assertEquals((await run(["audit", "show"])).stdout, "", "no audit yet");
    writeAudit(paths);
    for (const [words, seqs] of FILTERS) {
      const [people, json] = await Promise.all([
        run(["audit", "show", ...words]),
        run(["audit", "show", ...words, "--json"]),
      ]);
      assertEquals([people.code, json.code, people.stderr], [0, 0, ""]);
      const lines = people.stdout.split("\n").slice(0, -1);
      assertEquals(
        lines.map((line) => Number(/ #([0-9]+) /.exec(line)?.[1])),
        seqs,
        words.join(" "),
      );
      const records = json.stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line));
      assertEquals(records.map(({ seq }) => seq), seqs, words.join(" "));
      assert(/^[\x20-\x7e\n]*$/.test(people.stdout + json.stdout), "unescaped text");
    }
  }));

Deno.test("audit show: lines that are no records are shown as such, escaped", () =>
  withDom0(async ({ run, paths }) => {
    writeAudit(paths);
    const bad = [
      "not json \x1b[31m",
      "null",
      "7",
      "{}",
      '{"time":"2026-01-01T00:00:00Z"}',
      '{"event":5}',
      "[]",
    ];
    await Deno.writeTextFile(paths.auditFile, readText(paths.auditFile) + bad.join("\n") + "\n");
    const { code, stdout } = await run(["audit", "show"]);
    assertEquals([code, stdout.split("\n").length], [0, 6 + bad.length + 1]);
    assertEquals(stdout.match(/^not a record: "/gm)?.length, bad.length);
    assert(/^[\x20-\x7e\n]*$/.test(stdout), "unescaped text");
  }));

const TAMPERED:
  readonly (readonly [name: string, line: number, change: (lines: string[]) => string[]])[] = [
    [
      "a changed word",
      3,
      (lines) => lines.with(2, (lines[2] ?? "").replace('"exit":3', '"exit":0')),
    ],
    ["a record taken out", 3, (lines) => lines.toSpliced(2, 1)],
    ["the first record taken out", 1, (lines) => lines.slice(1)],
    ["a record put in", 3, (lines) => lines.toSpliced(2, 0, lines[0] ?? "")],
    ["two records swapped", 2, (lines) => lines.with(1, lines[2] ?? "").with(2, lines[1] ?? "")],
    ["a line of nonsense", 7, (lines) => [...lines, "nonsense"]],
    ["an empty line", 4, (lines) => lines.toSpliced(3, 0, "")],
    [
      "a byte that is no ASCII",
      2,
      (lines) => lines.with(1, (lines[1] ?? "").replace("work", "w\u00f6rk")),
    ],
  ];

Deno.test("audit verify: a good chain is good, and what was changed is named by file and line", () =>
  withDom0(async ({ run, paths }) => {
    assertEquals((await run(["audit", "verify"])).code, 0, "no audit yet");
    writeAudit(paths);
    const good = readText(paths.auditFile);
    const { code, stdout } = await run(["audit", "verify"]);
    assertEquals(code, 0);
    assertMatch(
      stdout,
      /^6 records, unbroken\. The last is #6 [0-9a-f]{8}, and the anchor says so, too\.\n$/,
    );
    const json = JSON.parse((await run(["audit", "verify", "--json"])).stdout);
    assertEquals([json.ok, json.records, json.last, json.hash.length], [true, 6, 6, 64]);
    assertEquals([json.anchored, json.findings, json.notes], [6, [], []]);

    await Promise.all(TAMPERED.map(async ([name, line, change], index) => {
      // Each in an audit of its own, so that they can run at once.
      const root = `${paths.runFolder}-${index}`;
      const own = dom0Paths(root);
      await Deno.mkdir(own.auditFile.replace(/\/[^/]*$/, ""), { recursive: true });
      const lines = change(good.trimEnd().split("\n"));
      await Deno.writeTextFile(own.auditFile, lines.join("\n") + "\n");
      await Deno.mkdir(own.libFolder, { recursive: true });
      await Deno.copyFile(paths.anchorFile, own.anchorFile);
      const broken = await run(["audit", "verify"], "", { QUBES_CLAW_ROOT: root });
      assertEquals([name, broken.code], [name, 1]);
      assertStringIncludes(broken.stdout, `BROKEN at ${own.auditFile}:${line}: `, name);
    }));
  }));

Deno.test("audit verify: follows the chain through rotated files, and misses one that is gone", () =>
  withDom0(async ({ run, paths }) => {
    writeAudit(paths, 400);
    const files = namesIn(paths.auditFile.replace(/\/[^/]*$/, "")).filter((name) =>
      /jsonl(\.[0-9])?$/.test(name)
    );
    assert(files.length >= 3, files.join());
    assertMatch((await run(["audit", "verify"])).stdout, /^6 records, unbroken/);
    await Deno.rename(`${paths.auditFile}.1`, `${paths.auditFile}.gone`);
    const { code, stdout } = await run(["audit", "verify", "--json"]);
    const broken = JSON.parse(stdout);
    assertEquals([code, broken.ok, broken.file, broken.line], [1, false, paths.auditFile, 1]);
    assertEquals(broken.findings[0].kind, "file-deleted");
    await Deno.rename(`${paths.auditFile}.gone`, `${paths.auditFile}.1`);
    const oldest = files.at(-1) ?? "";
    await Deno.remove(`${paths.auditFile.replace(/[^/]*$/, "")}${oldest}`);
    assertEquals((await run(["audit", "verify"])).code, 1, "the beginning is gone");
  }));

Deno.test("audit verify: an end that was cut off is told, as is an anchor that is gone", () =>
  withDom0(async ({ run, paths }) => {
    writeAudit(paths);
    const lines = readText(paths.auditFile).trimEnd().split("\n");
    await Deno.writeTextFile(paths.auditFile, lines.slice(0, 4).join("\n") + "\n");
    assertEquals(await run(["audit", "verify"]), {
      code: 1,
      stdout:
        `BROKEN at ${paths.auditFile}: records #5 to #6 are missing at the end: it was cut off (cut)\n`,
      stderr: "",
    });
    await Deno.writeTextFile(paths.auditFile, lines.join("\n") + "\n");
    await Deno.remove(paths.anchorFile);
    const { code, stdout } = await run(["audit", "verify"]);
    assertEquals(code, 1);
    assertMatch(stdout, /its anchor is missing/);
  }));

Deno.test("audit report: who did what to which qube, on one page", () =>
  withDom0(async ({ run, paths }) => {
    assertEquals((await run(["audit", "report"])).stdout, "Nothing is on record for that time.\n");
    writeAudit(paths);
    const { code, stdout } = await run(["audit", "report", "--since", "1h"]);
    assertEquals(code, 0);
    assertMatch(stdout, /^VM lab$/m);
    assertMatch(stdout, /^Operators in dom0\n {6}1 .* lockdown work$/m);
    const json = JSON.parse((await run(["audit", "report", "--json"])).stdout);
    assertEquals([json.records, json.vms.length], [6, 2]);
  }));
