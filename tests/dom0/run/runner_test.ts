// SPDX-License-Identifier: GPL-2.0-or-later
/** Real commands, in both kinds of process group. @module */

import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { concat, utf8 } from "../../../shared/protocol/bytes.ts";
import { parseCommand, type ProcessCommand } from "../../../shared/protocol/command.ts";
import { cgroupGroups } from "../../../dom0/run/cgroup_groups.ts";
import { startCommandsUnit } from "../../../dom0/run/commands_unit.ts";
import type { Groups } from "../../../dom0/run/process_group.ts";
import {
  type Ended,
  type Limits,
  type RunningCommand,
  startCommand,
} from "../../../dom0/run/runner.ts";
import { killMarked, sessionGroups } from "../../../dom0/run/session_groups.ts";
import { WARDEN } from "../../../dom0/run/warden.ts";
import { createWardens, type Wardens } from "../../../dom0/run/wardens.ts";
import { freshCgroup, WHY_NO_CGROUP } from "../../cgroup.ts";
import {
  argvBody,
  childrenWith,
  filesBelow,
  namesIn,
  processesWith,
  until,
  withFolder,
} from "../fixture.ts";
import { writeExecutable } from "../../executable.ts";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const LIMITS: Limits = {
  ...{ timeoutMs: 60_000, maxProcesses: 256, maxMemoryBytes: 2 ** 30, maxOutputBytes: 2 ** 20 },
};
const TOTALS = { maxTotalProcesses: 1024, maxTotalMemoryBytes: 2 ** 31 };
const CGROUP = freshCgroup();

interface Kit {
  readonly groups: Groups;
  readonly wardens: Wardens;
}

interface Kind {
  readonly name: string;
  readonly ignore: boolean;
  /** The same for all tests. */
  readonly kit: () => Promise<Kit>;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => made ??= make();
}

const SESSION = {
  name: "session",
  ignore: false,
  kit: once(() => {
    const groups = sessionGroups();
    return Promise.resolve({ groups, wardens: createWardens(groups) });
  }),
} satisfies Kind;
const IN_CGROUP = {
  name: `cgroup${WHY_NO_CGROUP}`,
  ignore: CGROUP === null,
  kit: once(async () => {
    const groups = await cgroupGroups(CGROUP?.folder ?? "", TOTALS);
    return { groups, wardens: createWardens(groups) };
  }),
} satisfies Kind;
/** As under systemd, but the bash that starts the commands is a child: no unit is to be had here. */
const UNIT = once(() => startCommandsUnit(["/usr/bin/env", "SECRET_OF_UNIT=1"]));
const IN_UNIT = {
  name: `unit${WHY_NO_CGROUP}`,
  ignore: CGROUP === null,
  kit: once(async () => {
    const { groups } = await IN_CGROUP.kit();
    return { groups, wardens: createWardens(groups, (await UNIT()).spawn) };
  }),
} satisfies Kind;
const KINDS: readonly Kind[] = [SESSION, IN_CGROUP, IN_UNIT];

let marks = 0;

interface Run {
  readonly command: ProcessCommand;
  readonly limits?: Partial<Limits>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
}

interface Running extends RunningCommand {
  readonly mark: string;
  text(stream: 1 | 2): string;
  bytes(stream: 1 | 2): Uint8Array;
}

function start({ groups, wardens }: Kit, workFolder: string, run: Run): Running {
  const mark = `runner-test-${Deno.pid}-${++marks}`;
  const chunks = { 1: [] as Uint8Array[], 2: [] as Uint8Array[] };
  const running = startCommand({
    ...{ command: run.command, mark, path: PATH, workFolder, groups, wardens },
    environment: run.environment ?? {},
    limits: { ...LIMITS, ...run.limits },
    onOutput: (stream, bytes) => void chunks[stream].push(bytes.slice()),
  });
  const bytes = (stream: 1 | 2): Uint8Array => concat(chunks[stream]);
  return { ...running, mark, bytes, text: (stream) => new TextDecoder().decode(bytes(stream)) };
}

const script = (text: string): ProcessCommand => parseCommand("script", utf8(text));
const argv = (...words: readonly string[]): ProcessCommand =>
  parseCommand("argv", argvBody(...words));

interface Result extends Ended {
  readonly out: string;
  readonly err: string;
}

type Start = (run: Run | string) => Running;

/** A test for each kind of group; what a command leaves behind fails it. */
function eachKind(
  name: string,
  test: (start: Start, folder: string, kind: Kind) => Promise<void>,
): void {
  for (const kind of KINDS) {
    Deno.test({
      name: `runner, ${kind.name}: ${name}`,
      ignore: kind.ignore,
      // Groups found in /proc are swept once for many commands, a moment later.
      ...{ sanitizeOps: false, sanitizeResources: false },
      fn: () =>
        withFolder(async (folder) => {
          const kit = await kind.kit();
          const marksOfTest: string[] = [];
          await test(
            (run) => {
              const what = typeof run === "string" ? { command: script(run) } : run;
              const running = start(kit, folder, what);
              marksOfTest.push(running.mark);
              return running;
            },
            folder,
            kind,
          );
          // A sweep that waits for its time is the last that carries a mark.
          await until("no process is left", () =>
            marksOfTest.every((mark) => processesWith(mark).length === 0));
          assertEquals(
            namesIn(folder).filter((file) =>
              file.startsWith("runner-test-")
            ),
            [],
          );
        }),
    });
  }
}

async function result(running: Running): Promise<Result> {
  const ended = await running.ended;
  return { ...ended, out: running.text(1), err: running.text(2) };
}

const WORDS: readonly string[] = [
  ...["a b", "", "'", '"', "$HOME", "`id`", "$(id)", "x\ny", "\n", "\t", "-c", "--", "-", "A=b"],
  ...[
    "*",
    "~",
    "\\",
    "\\n",
    ";",
    "|",
    "&",
    "#",
    "\u00e4\u{1f600}",
    "\x1b[0m",
    "\x7f",
    "!",
    "{a,b}",
  ],
];

eachKind("every word of an argv arrives as it is", async (start) => {
  const command = argv(
    "/bin/sh",
    "-c",
    'for word; do printf "%s\\0" "$word"; done',
    "sh",
    ...WORDS,
  );
  const { out, err, kind, exitCode } = await result(start({ command }));
  assertEquals(out.split("\0"), [...WORDS, ""]);
  assertEquals([err, kind, exitCode], ["", "done", 0]);
});

eachKind("a program's name is a name, whatever it looks like", async (start, folder) => {
  const programs: readonly (readonly [program: string, exitCode: number])[] = [
    ...[
      "-c",
      "--",
      "-",
      "A=b",
      "no-such-program",
      "x y",
      "cd",
      "exec",
      "type",
      "$SHELL",
      "true;",
      "~",
    ]
      .map((program) => [program, 127] as const),
    ["/no/such/program", 127],
    ["/etc/passwd", 126],
    ["/", 126],
    ["true", 0],
    ["/bin/false", 1],
  ];
  const results = await Promise.all(programs.map(([program]) => {
    return result(start({ command: argv(program, "x") }));
  }));
  assertEquals(
    results.map(({ kind, exitCode }, i) => [programs[i]?.[0], kind, exitCode]),
    programs.map(([program, code]) => [program, "done", code]),
  );
  for (const name of ["my program", "-x", "A=b"]) {
    writeExecutable(`${folder}/${name}`, '#!/bin/sh\necho "$@"\n');
    const { out } = await result(start({ command: argv(`${folder}/${name}`, "an", "arg") }));
    assertEquals(out, "an arg\n");
  }
});

eachKind("a script that is not found or not executable says so on its stderr", async (start) => {
  const missing = await result(start({ command: argv("no-such-program") }));
  assertStringIncludes(missing.err, "no-such-program");
  assertEquals(missing.out, "");
});

eachKind("exit codes pass through, and a signal is 128 and its number", async (start) => {
  const cases: readonly (readonly [text: string, exitCode: number])[] = [
    ...[0, 1, 7, 124, 125, 126, 127, 128, 130, 137, 255].map((n) => [`exit ${n}`, n] as const),
    ...([
      ["HUP", 1],
      ["INT", 2],
      ["ABRT", 6],
      ["KILL", 9],
      ["SEGV", 11],
      ["PIPE", 13],
      ["TERM", 15],
    ] as const)
      .map(([name, n]) => [`ulimit -c 0; kill -${name} $$; sleep 5`, 128 + n] as const),
    ["no-such-program", 127],
    ["set -e; false; exit 3", 1],
  ];
  const results = await Promise.all(cases.map(([text]) => result(start(text))));
  assertEquals(
    results.map(({ kind, exitCode }, i) => [cases[i]?.[0], kind, exitCode]),
    cases.map(([text, code]) => [text, "done", code]),
  );
});

eachKind("a script's bytes are run as they are, and output comes back as it is", async (start) => {
  const bytes = Array.from({ length: 255 }, (_, i) => i + 1).filter((byte) => byte !== 0x27);
  const command = parseCommand(
    "script",
    concat([
      utf8("# \u00e4\nprintf %s '"),
      new Uint8Array(bytes),
      utf8("'; printf '\\0\\377' >&2"), // and no newline at the end
    ]),
  );
  const running = start({ command });
  assertEquals((await running.ended).exitCode, 0);
  assertEquals(running.bytes(1), new Uint8Array(bytes));
  assertEquals(running.bytes(2), new Uint8Array([0, 255]));
});

eachKind("a script of a megabyte runs", async (start) => {
  const text = "echo start\n" + `#${"x".repeat(99)}\n`.repeat(10_000) + "echo end\n";
  assertEquals((await result(start(text))).out, "start\nend\n");
});

eachKind("stdin is empty, and is /dev/null", async (start) => {
  const { out } = await result(start("readlink /proc/$$/fd/0; cat; read -r line; echo $?"));
  assertEquals(out, "/dev/null\n1\n");
});

eachKind(
  "the environment is as defined, and nothing of the daemon's is in it",
  async (start, folder) => {
    const evil = `${folder}/evil.sh`;
    await Deno.writeTextFile(evil, "echo evil\n");
    const secrets = {
      SECRET_OF_DAEMON: "x1",
      BASH_ENV: evil,
      ENV: evil,
      CDPATH: "/",
      IFS: "x",
      NOTIFY_SOCKET: "/x",
    };
    for (const [name, value] of Object.entries(secrets)) Deno.env.set(name, value);
    try {
      const running = start({
        command: argv("env", "-0"),
        environment: { QVM_REMOTE_VM: "work", QVM_REMOTE_ID: "an id" },
      });
      const { out, err } = await result(running);
      const found = new Map(
        out.split("\0").slice(0, -1).map((entry) => {
          const at = entry.indexOf("=");
          return [entry.slice(0, at), entry.slice(at + 1)] as const;
        }),
      );
      // What bash adds by itself.
      for (const name of ["PWD", "OLDPWD", "SHLVL", "_"]) found.delete(name);
      assertEquals(Object.fromEntries([...found].sort()), {
        ...{ HOME: "/root", LANG: "C.UTF-8", LOGNAME: "root", PATH, QVM_REMOTE_ID: "an id" },
        ...{
          QVM_REMOTE_MARK: running.mark,
          QVM_REMOTE_VM: "work",
          SHELL: "/bin/bash",
          USER: "root",
        },
      });
      assertEquals(err, "");
      const asScript = await result(
        start('echo "[$SECRET_OF_DAEMON$SECRET_OF_UNIT$BASH_ENV$NOTIFY_SOCKET$processes$cgroup]"'),
      );
      assertEquals([asScript.out, asScript.err], ["[]\n", ""]);
    } finally {
      for (const name of Object.keys(secrets)) Deno.env.delete(name);
    }
  },
);

eachKind(
  "folder, umask, session, signals and open files are those of a fresh start",
  async (start) => {
    const text = "pwd; umask; " +
      "read -r line </proc/$$/stat; set -- ${line##*) }; " +
      'echo "$([ "$4" = "$$" ] && echo leader) $5"; ' +
      "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/$$/fd";
    /** More than wait for their orders: the last ones are started with this umask. */
    const startMasked = (): readonly Running[] => {
      const umask = Deno.umask(0o077); // that of all test files: only for as long as this takes
      try {
        return Array.from({ length: 8 }, () => start({ command: argv("/bin/sh", "-c", text) }));
      } finally {
        Deno.umask(umask);
      }
    };
    // Other test files run in this process, and leave files open for a moment; then once more.
    await until("no open files but those of any process", async () => {
      const ended = await Promise.all(startMasked().map(result));
      const [last, ...others] = ended.map(({ out }) => out.trimEnd().split("\n")).toReversed();
      const [cwd, mask, session, blocked = "", ignored = "", ...files] = last ?? [];
      assertEquals([cwd, mask, session], ["/", "0022", "leader 0"]);
      for (const [, otherMask] of others) assertEquals(otherMask, "0022");
      // What whoever started the tests ignores, or left open, is so in any process.
      const look = "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/$$/fd";
      const plain = await new Deno.Command("/bin/sh", { args: ["-c", look] }).output();
      const [plainBlocked = "", plainIgnored = "", ...plainFiles] = new TextDecoder()
        .decode(plain.stdout).trimEnd().split("\n");
      const bits = (line: string): bigint =>
        // 32 and 33 are glibc's own
        BigInt(`0x${line.split("\t")[1]}`) & 0x7fff_ffffn;
      assertEquals([bits(blocked), bits(ignored)], [bits(plainBlocked), bits(plainIgnored)]);
      return files.join() === plainFiles.join();
    });
  },
);

eachKind("a script's file is private while it runs, and gone afterwards", async (start, folder) => {
  const { out } = await result(start('stat -c "%a %u" "$0"'));
  assertEquals(out, `600 ${Deno.uid()}\n`);
  assertEquals(filesBelow(folder).size, 0);
});

eachKind("a script that removes its own file ends as it ends", async (start) => {
  const { kind, exitCode } = await result(start('rm -- "$0"; exit 5'));
  assertEquals([kind, exitCode], ["done", 5]);
});

/** Ways to be still there; $N is a number of seconds that no other sleep of the machine has. */
const LEAVERS: Readonly<Record<string, string>> = {
  "itself": "exec sleep $N",
  "a child": "sleep $N; echo not reached",
  "a child in the background": "sleep $N & wait",
  "a pipe of children": "sleep $N | sleep $N | cat",
  "a child in another session": "setsid --fork sleep $N; sleep $N",
  "children that ignore TERM": "trap '' TERM; sleep $N & sleep $N",
  "a daemon, forked twice": "(setsid sh -c 'sleep $N & sleep $N' >/dev/null 2>&1 &) ; sleep $N",
  "nohup": "nohup sleep $N >/dev/null 2>&1 & sleep $N",
  "one that stops itself": "sleep $N & kill -STOP $! $$; sleep $N",
};

/** Seconds that name a process. */
function rareNumber(): string {
  return `9${Math.floor(1e8 + Math.random() * 9e8)}`;
}

/** Its time is up after it printed: with more time if it did not come to that. */
async function timedOut(start: Start, command: ProcessCommand): Promise<Result> {
  for (let timeoutMs = 400;; timeoutMs *= 3) {
    const ended = await result(start({ command, limits: { timeoutMs } }));
    if (ended.out !== "" || timeoutMs > 60_000) return ended;
  }
}

eachKind("a timeout returns what was printed, and leaves no process of any kind", async (start) => {
  const numbers: string[] = [];
  const runs = Object.entries(LEAVERS).map(async ([name, text]) => {
    const number = rareNumber();
    numbers.push(number);
    const command = script(`echo before\n${text.replaceAll("$N", number)}`);
    const { kind, exitCode, out } = await timedOut(start, command);
    assertEquals([name, kind, exitCode, out], [name, "timeout", 124, "before\n"]);
    assertEquals(processesWith(number), [], name);
  });
  await Promise.all(runs);
  assertEquals(numbers.length, 9);
});

eachKind(
  "what a command leaves in the background ends with it, and does not delay it, and is counted",
  async (start, _folder, group) => {
    const ways: readonly (readonly [way: string, left: number])[] = [
      ["sleep $N &", 1], // it holds the pipe
      ["sleep $N & sleep $N &", 2],
      ["setsid --fork sleep $N", 1],
      ["(trap '' TERM HUP; exec sleep $N) &", 1],
      ["sleep $N >/dev/null 2>&1 &", 1],
      ["setsid --fork sleep $N >/dev/null 2>&1", 1],
      ["true", 0],
    ];
    await Promise.all(ways.map(async ([way, count]) => {
      const number = rareNumber();
      const { kind, exitCode, out, left = 0 } = await result(
        start(`${way.replaceAll("$N", number)}\necho done; exit 3`),
      );
      assertEquals([way, kind, exitCode, out], [way, "done", 3, "done\n"]);
      // Without a cgroup nobody looks, in a hurry, for what holds no pipe.
      const isUnseen = group === SESSION && way.includes("/dev/null") && left === 0;
      if (!isUnseen) assertEquals([way, left], [way, count]);
      await until(`${way} is gone`, () => processesWith(number).length === 0);
    }));
  },
);

Deno.test({
  name: `runner, ${IN_CGROUP.name}: what leaves the session and the environment is ended too`,
  ignore: IN_CGROUP.ignore,
  fn: () =>
    withFolder(async (folder) => {
      const kit = await IN_CGROUP.kit();
      const number = rareNumber();
      const text = `env -i setsid --fork sleep ${number} >/dev/null 2>&1; echo done`;
      assertEquals((await result(start(kit, folder, { command: script(text) }))).out, "done\n");
      assertEquals(processesWith(number), []);
      const timed = start(kit, folder, {
        command: script(`env -i setsid --fork sleep ${number}; sleep ${number}`),
        limits: { timeoutMs: 300 },
      });
      const { kind, exitCode } = await timed.ended;
      assertEquals([kind, exitCode, timed.text(1), timed.text(2)], ["timeout", 124, "", ""]);
      assertEquals(processesWith(number), []);
    }),
});

eachKind("a fork bomb is cut off", async (start) => {
  const number = rareNumber();
  // Each forks two, eight times: 511 processes if nothing stops it.
  const bomb =
    `b() { [ "$1" -ge 8 ] || { b $(($1 + 1)) & b $(($1 + 1)) & }; sleep ${number}; }; echo boom; b 0`;
  const { kind, exitCode, out } = await result(
    start({ command: script(bomb), limits: { maxProcesses: 40 } }),
  );
  assertEquals([kind, exitCode, out], ["process-limit", 137, "boom\n"]);
  assertEquals(processesWith(number), []);
});

eachKind("a flood of output is cut at the limit, to the byte, on either stream", async (start) => {
  const limits = { maxOutputBytes: 100_001 };
  for (const [stream, text] of [[1, "yes"], [2, "yes >&2"]] as const) {
    const running = start({ command: script(`echo other >&${3 - stream}; ${text}`), limits });
    assertEquals(await running.ended, { kind: "output-limit", exitCode: 137 });
    assertEquals(running.bytes(stream).length, 100_001);
    assertEquals(running.text(stream === 1 ? 2 : 1), "other\n");
  }
  const exact = start({ command: script("head -c 100001 /dev/zero; exit 4"), limits });
  assertEquals(await exact.ended, { kind: "done", exitCode: 4 });
  assertEquals(exact.bytes(1).length, 100_001);
});

eachKind(
  "a stop says why, the first reason counts, and after the end there is none",
  async (start) => {
    const running = start("echo one; sleep 1000");
    await until("output", () => running.text(1) !== "");
    running.stop("cancelled");
    running.stop("timeout");
    assertEquals(await running.ended, { kind: "cancelled", exitCode: 130 });
    const done = start("exit 6");
    assertEquals(await done.ended, { kind: "done", exitCode: 6 });
    done.stop("cancelled");
  },
);

eachKind("a command that is stopped in its first moment ends", async (start) => {
  const running = start("sleep 1000");
  running.stop("revoked");
  assertEquals(await running.ended, { kind: "revoked", exitCode: 126 });
});

eachKind("a command that ends well on TERM has the time to", async (start) => {
  const running = start("trap 'echo bye; exit 0' TERM; echo one; sleep 1000 & wait");
  await until("output", () => running.text(1) !== "");
  running.stop("cancelled");
  assertEquals((await running.ended).kind, "cancelled");
  assertEquals(running.text(1), "one\nbye\n");
});

eachKind("commands at the same time do not mix", async (start) => {
  const runs = Array.from({ length: 8 }, async (_, n) => {
    const text =
      `i=0; while [ $i -lt 300 ]; do echo ${n}; echo e${n} >&2; i=$((i + 1)); done; exit ${n}`;
    const { out, err, exitCode } = await result(start(text));
    assertEquals([out, err, exitCode], [`${n}\n`.repeat(300), `e${n}\n`.repeat(300), n]);
  });
  await Promise.all(runs);
});

eachKind(
  "a command that the kernel does not take leaves nothing behind",
  async (start, folder) => {
    const long = argv("true", "x".repeat(200_000)); // MAX_ARG_STRLEN is 128 KiB
    const { exitCode } = await start({ command: long }).ended;
    assertNotEquals(exitCode, 0);
    assertEquals(namesIn(folder), []);
    assertEquals((await result(start("echo fine"))).out, "fine\n");
  },
);

Deno.test("runner: a command whose cgroup cannot be made does not run, and its stderr says so", () =>
  withFolder(async (folder) => {
    const groups = { ...sessionGroups(), newCgroup: () => `${folder}/no-such-folder/1` };
    const wardens = createWardens(groups);
    const command = script(`echo ran >${folder}/ran`);
    const { exitCode, err } = await result(start({ groups, wardens }, folder, { command }));
    wardens.close();
    assertEquals(exitCode, 125);
    assertStringIncludes(err, "no-such-folder/1");
    assertEquals(namesIn(folder), []);
  }));

/** A plain folder takes the part of a cgroup: what cannot be written there is a limit not set. */
for (const file of ["pids.max", "memory.max", "memory.oom.group", "cgroup.procs"]) {
  Deno.test(`runner: a command whose ${file} cannot be set does not run, and its stderr says so`, () =>
    withFolder(async (folder) => {
      // It has such a file from the start, as a cgroup has; a folder cannot be written.
      const makes = `/usr/bin/mkdir -p -- "$cgroup/${file}"`;
      const child = new Deno.Command("/bin/bash", {
        args: [
          "-c",
          WARDEN.replace('/usr/bin/mkdir -- "$cgroup"', makes),
          "warden",
          `${folder}/cgroup`,
        ],
        ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
      }).spawn();
      const writer = child.stdin.getWriter();
      const words = ["6", "9", "99", "0", "touch", `${folder}/ran`, "go"];
      await writer.write(utf8(words.map((word) => `${word}\0`).join("")));
      await writer.close();
      const { code, stderr } = await child.output();
      assertEquals(code, 125);
      assertStringIncludes(new TextDecoder().decode(stderr), `cgroup/${file}`);
      assertEquals(namesIn(folder), ["cgroup"]);
    }));
}

Deno.test("runner: what an earlier daemon left is found by its mark, and nothing else", () =>
  withFolder(async (folder) => {
    const [left, other] = [rareNumber(), rareNumber()];
    const run = (mark: string, seconds: string): Deno.ChildProcess =>
      new Deno.Command("setsid", { args: ["sleep", seconds], env: { QVM_REMOTE_MARK: mark } })
        .spawn();
    const children = [
      run("qr-test1-99-1", left),
      run("qr-test1-98-7", left),
      run("qr-test12-1", other),
    ];
    await until(
      "they run",
      () => processesWith(left).length === 2 && processesWith(other).length === 1,
    );
    await killMarked("qr-test1-");
    await until("those of the mark have ended", () => processesWith(left).length === 0);
    assertEquals(processesWith(other).length, 1);
    children[2]?.kill("SIGKILL");
    await Promise.all(children.map((child) => child.status));
    assertEquals(namesIn(folder), []);
  }));

/** @param path as /proc/PID/cgroup has it */
const isCgroupHere = (path: string): boolean =>
  foldersIn(`${CGROUP?.folder}/commands`).includes(path.slice(path.lastIndexOf("/") + 1));

Deno.test({
  name: `runner, ${IN_CGROUP.name}: each command has a new cgroup, which is removed after it`,
  ignore: IN_CGROUP.ignore,
  ...{ sanitizeOps: false, sanitizeResources: false },
  fn: () =>
    withFolder(async (folder) => {
      const kit = await IN_CGROUP.kit();
      const own = async (): Promise<string> => {
        const text = 'while IFS=: read -r id _ path; do [ "$id" != 0 ] || echo "$path"; done ' +
          "</proc/self/cgroup";
        return (await result(start(kit, folder, { command: script(text) }))).out.trim();
      };
      const [first, second] = [await own(), await own()];
      assert(first.includes("/commands/") && second.includes("/commands/"), `${first} ${second}`);
      assertNotEquals(first, second);
      await until("what is done with is gone", () => ![first, second].some(isCgroupHere));
    }),
});

Deno.test({
  name: `runner, ${IN_CGROUP.name}: what a command makes in its cgroup is removed with it`,
  ignore: IN_CGROUP.ignore,
  ...{ sanitizeOps: false, sanitizeResources: false },
  fn: () =>
    withFolder(async (folder) => {
      const kit = await IN_CGROUP.kit();
      const number = rareNumber();
      const text = `at=$(sed -n 's/^0:://p' /proc/self/cgroup)
cd "${CGROUP?.folder}/commands/\${at##*/}" && mkdir -p nested/deeper || exit
echo "$at"
sleep ${number} &
echo $! >nested/deeper/cgroup.procs
exit 4`;
      const { exitCode, out } = await result(start(kit, folder, { command: script(text) }));
      assertEquals(exitCode, 4);
      assertEquals(processesWith(number), []);
      await until("it is gone", () => !isCgroupHere(out.trim()));
    }),
});

Deno.test({
  name: `runner, ${IN_CGROUP.name}: if the keeper is killed, another watches`,
  ignore: IN_CGROUP.ignore,
  ...{ sanitizeOps: false, sanitizeResources: false },
  fn: () =>
    withFolder(async (folder) => {
      const kit = await IN_CGROUP.kit();
      const number = rareNumber();
      const text = `while [ ! -e ${folder}/go ]; do sleep 0.01; done
for i in {1..60}; do sleep ${number} & done; wait`;
      const limits = { maxProcesses: 40 };
      const running = start(kit, folder, { command: script(text), limits });
      const keepers = (): number[] => childrenWith("oom_kill", CGROUP?.folder ?? "");
      await until("the keeper is there", () => keepers().length === 1);
      for (const pid of keepers()) Deno.kill(pid, "SIGKILL");
      Deno.writeTextFileSync(`${folder}/go`, "");
      assertEquals(await running.ended, { kind: "process-limit", exitCode: 137 });
      assertEquals(processesWith(number), []);
    }),
});

Deno.test({
  name:
    `runner, ${IN_UNIT.name}: if nobody is left who could tell a command's end, it ends all the same`,
  ignore: IN_UNIT.ignore,
  ...{ sanitizeOps: false, sanitizeResources: false },
  fn: () =>
    withFolder(async (folder) => {
      const kit = await IN_UNIT.kit();
      const text =
        "read -r line </proc/$$/stat; set -- ${line##*) }; kill -KILL $2; echo; sleep 99";
      const running = start(kit, folder, { command: script(text) });
      await until("it has killed who waits for it", () => running.text(1) !== "");
      running.stop("revoked");
      assertEquals((await running.ended).kind, "revoked");
    }),
});

Deno.test("runner: the end of the commands' unit is told, and its commands' end is not known", () =>
  withFolder(async (folder) => {
    const unit = await startCommandsUnit(["/usr/bin/env"]);
    const groups = sessionGroups();
    const wardens = createWardens(groups, unit.spawn);
    const running = start({ groups, wardens }, folder, { command: script("echo; sleep 99") });
    await until("it runs", () => running.text(1) !== "");
    Deno.kill(unit.pid, "SIGKILL");
    await assertRejects(() => unit.failed, Error, "has ended");
    await assertRejects(() => running.ended, Error, "has ended");
    wardens.close();
    await until("it is gone", () => {
      const left = processesWith(running.mark);
      for (const pid of left) Deno.kill(pid, "SIGKILL"); // systemd would have
      return left.length === 0;
    });
  }));

Deno.test("commands unit: one that cannot be started says why", async () => {
  await assertRejects(
    () => startCommandsUnit(["/bin/sh", "-c", "echo no such bus >&2; exit 1", "x"]),
    Error,
    "was not started: no such bus",
  );
});

Deno.test({
  name: `runner, ${IN_CGROUP.name}: nothing of these tests is left in it`,
  ignore: IN_CGROUP.ignore,
  ...{ sanitizeOps: false, sanitizeResources: false },
  async fn() {
    (await IN_UNIT.kit()).wardens.close();
    const unit = await UNIT();
    unit.close();
    const { groups, wardens } = await IN_CGROUP.kit();
    wardens.close();
    groups.close();
    await until("the unit's bash is gone", () => processesWith("SECRET_OF_UNIT").length === 0);
    const folder = `${CGROUP?.folder}`;
    // This process moved into a leaf; test files that run beside it started theirs from there.
    await until("the leaf is empty", () => {
      const left = Deno.readTextFileSync(`${folder}/daemon/cgroup.procs`).trim().split("\n");
      for (const pid of left.filter((line) => line !== "")) {
        try {
          Deno.writeTextFileSync(`${folder}/../cgroup.procs`, pid);
        } catch { /* it has ended */ }
      }
      return left[0] === "";
    });
    await until(
      "what was killed is gone",
      () =>
        foldersIn(`${folder}/commands`).every((name) =>
          Deno.readTextFileSync(`${folder}/commands/${name}/cgroup.procs`) === ""
        ),
    );
    await CGROUP?.remove();
  },
});

function foldersIn(path: string): string[] {
  return [...Deno.readDirSync(path)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name);
}
