// SPDX-License-Identifier: GPL-2.0-or-later
/** What a person or a program in a VM meets who runs a command with qvm-remote. */
import { isPresent } from "../../shared/io/sync_files.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { signalProcess } from "../sim/processes.ts";
import { type Daemon, finish, install, type Installed, readAudit, until } from "./installed.ts";
import { isRunning, seenProcesses, untilNothingRuns } from "./seen_processes.ts";
import { openQueue } from "./vm_queue.ts";
import { writeExecutable } from "../executable.ts";

const VM = "work";

async function scene(
  act: (t: Deno.TestContext, qubes: Installed, daemon: Daemon) => Promise<void>,
  t: Deno.TestContext,
  config: readonly string[] = [],
): Promise<void> {
  await using qubes = await install([{ name: VM }, { name: "lab" }]);
  await qubes.configure(config);
  for (const vm of [VM, "lab"]) await qubes.authorize(vm);
  const daemon = await qubes.startDaemon([VM, "lab"]);
  await act(t, qubes, daemon);
  if (isRunning(daemon.pid)) await daemon.stop();
  await untilNothingRuns(qubes.world);
}

Deno.test("client: output, bytes and exit codes", (t) => scene(withOutput, t));

async function withOutput(t: Deno.TestContext, qubes: Installed): Promise<void> {
  const { world } = qubes;

  await t.step("output is there while the command runs, on both streams", async () => {
    const go = `${world.folder}/go`;
    const script = `echo one; echo eins >&2; until [ -e '${go}' ]; do sleep 0.02; done; echo two`;
    const child = qubes.spawnClient(VM, ["-c", script]);
    const [out, err] = [child.stdout.getReader(), child.stderr.getReader()];
    assertEquals(await textOf(out), "one\n");
    assertEquals(await textOf(err), "eins\n");
    await Deno.writeTextFile(go, ""); // only now can it end
    assertEquals(await textOf(out), "two\n");
    assertEquals((await child.status).code, 0);
    await Promise.all([out.cancel(), err.cancel()]);
  });

  await t.step("every byte value passes on both streams", async () => {
    const all = 'for i in {0..255}; do printf "\\\\x$(printf %x $i)"; done';
    const child = qubes.spawnClient(VM, ["-c", `${all}; { ${all}; } >&2`]);
    const { code, stdout, stderr } = await child.output();
    const wanted = Array.from({ length: 256 }, (_, byte) => byte);
    assertEquals([code, [...stdout], [...stderr]], [0, wanted, wanted]);
  });

  await t.step("9 MB pass whole", async () => {
    const file = `${world.folder}/large`;
    const script = `head -c 9000000 /dev/urandom >'${file}'; cat '${file}'`;
    const { code, stdout } = await qubes.spawnClient(VM, ["-c", script]).output();
    assertEquals(code, 0);
    assertEquals(await digestOf(stdout), await digestOf(await Deno.readFile(file)));
  });

  await t.step("clients at once get each their own output", async () => {
    const asked = ["a", "b", "c", "d"].map(async (word, i) => {
      const script = `for i in {1..3000}; do echo ${word}$i; done; exit ${i}`;
      const { code, stdout } = await qubes.client(i % 2 === 0 ? VM : "lab", ["-c", script]);
      const wanted = Array.from({ length: 3000 }, (_, line) => `${word}${line + 1}\n`).join("");
      assertEquals([code, stdout === wanted], [i, true], word);
    });
    await Promise.all(asked);
  });

  await t.step("a queue full of others' work delays a client and does not lose it", async () => {
    const queue = await openQueue(world, VM);
    const others = await Promise.all(
      Array.from({ length: 60 }, () => queue.publish("sleep 0.1; echo other")),
    );
    const { code, stdout } = await qubes.client(VM, ["echo", "mine"]);
    assertEquals([code, stdout], [0, "mine\n"]);
    for (const id of others) assertEquals((await queue.answer(id)).outcome.kind, "done");
  });

  await t.step("names of sub-commands are programs of dom0 behind --", async () => {
    const program = `#!/bin/sh\necho "dom0's $(basename "$0") $*"\n`;
    for (const name of ["status", "key"]) {
      writeExecutable(`${world.dom0Bin}/${name}`, program);
    }
    assertEquals((await qubes.client(VM, ["--", "status"])).stdout, "dom0's status \n");
    assertEquals((await qubes.client(VM, ["--", "key", "gen"])).stdout, "dom0's key gen\n");
    assertMatch((await qubes.client(VM, ["status"])).stdout, /^dom0 +responding/m);
  });

  await t.step("-v says the id, -q nothing; neither touches stdout", async () => {
    const loud = await qubes.client(VM, ["-v", "echo", "x"]);
    assertMatch(loud.stderr, /^\[qvm-remote\] submitted id=\d{8}-\d{6}-\d+-[0-9a-f]{8}\n$/);
    const quiet = await qubes.client(VM, ["-q", "echo", "x"]);
    assertEquals([loud.stdout, quiet.stdout, quiet.stderr], ["x\n", "x\n", ""]);
  });

  await t.step("the command's own exit codes are not the client's", async () => {
    for (const code of [124, 126, 130, 255]) {
      const end = await qubes.client(VM, ["-c", `exit ${code}`]);
      assertEquals([end.code, end.stderr], [code, ""]);
    }
  });
}

Deno.test("client: ending a command", (t) => scene(withEnds, t));

async function withEnds(t: Deno.TestContext, qubes: Installed): Promise<void> {
  const { world } = qubes;
  /** Starts a client, waits until its command prints "up". */
  const start = async (words: readonly string[]) => {
    const child = qubes.spawnClient(VM, words);
    const reader = child.stdout.getReader();
    assertStringIncludes(await textOf(reader), "up");
    const end = async (): Promise<{ code: number; stderr: string }> => {
      const text = new Response(child.stderr).text();
      const { code } = await child.status;
      await reader.cancel();
      return { code, stderr: await text };
    };
    return { child, end };
  };
  const sleepers = (seconds: number): number =>
    seenProcesses(world).filter(({ commandLine }) => commandLine === `sleep ${seconds}`).length;
  const idOf = (stderr: string): string => /id=([0-9a-f-]+)/.exec(stderr)?.[1] ?? "";
  const eventsOf = (id: string): readonly string[] =>
    readAudit(world).filter((record) => record.id === id).map(({ event }) => event);

  for (const [name, signal] of [["Ctrl-C", "SIGINT"], ["a polite kill", "SIGTERM"]] as const) {
    await t.step(`${name} ends the command in dom0, and all it started`, async () => {
      const { child, end } = await start(["-c", "echo up; sleep 1001 & sleep 1001"]);
      await until("both run", () => sleepers(1001) === 2);
      child.kill(signal);
      const { code, stderr } = await end();
      assertEquals(code, 130);
      assertMatch(stderr, /^qvm-remote: interrupted \(id=\S+\)\n$/);
      assertEquals(eventsOf(idOf(stderr)), ["accepted", "cancelled"]);
      await until("both are gone", () => sleepers(1001) === 0);
    });
  }

  await t.step("Ctrl-C twice leaves at once, though the command holds out", async () => {
    const heard = `${world.folder}/heard`;
    const script = `trap 'touch ${heard}' TERM; echo up; while :; do sleep 0.1; done`;
    const attempt = async (): Promise<boolean> => {
      await Deno.remove(heard).catch(() => {});
      const { child, end } = await start(["-c", script]);
      child.kill("SIGINT");
      await until("the command heard of the first", () => isPresent(heard));
      child.kill("SIGINT");
      const { code, stderr } = await end();
      const id = idOf(stderr);
      const saysSo = stderr.includes("may still run");
      const wasRunning = !eventsOf(id).includes("cancelled");
      assert(code === 130 && (saysSo || !wasRunning), stderr);
      await until("dom0 ends it all the same", () => eventsOf(id).includes("cancelled"));
      return saysSo && wasRunning;
    };
    // On a busy machine the KILL of dom0, two seconds after its TERM, may come first.
    for (let tries = 1; !await attempt(); tries++) assert(tries < 20, "dom0 always came first");
  });

  await t.step("a timeout ends it, and what it printed is kept", async () => {
    const end = await qubes.client(VM, ["-t", "1", "-c", "echo partial; sleep 1002"]);
    assertEquals([end.code, end.stdout], [124, "partial\n"]);
    assertMatch(end.stderr, /^qvm-remote: timed out after 1s \(id=\S+\)\n$/);
    assertEquals(eventsOf(idOf(end.stderr)), ["accepted", "timeout"]);
    await until("it is gone", () => sleepers(1002) === 0);
  });

  await t.step("a reader that leaves ends it: | head -1", async () => {
    const line = `${world.vmBin}/qvm-remote -c 'while :; do echo y; sleep 0.001; done' | head -1;` +
      ' echo "${PIPESTATUS[0]}" >&2';
    const shell = world.runInVm(VM, ["/bin/bash", "-c", line], {
      stdout: "piped",
      stderr: "piped",
    });
    const { stdout, stderr } = await finish(shell);
    assertEquals([stdout, stderr], ["y\n", "141\n"]);
    await until("dom0 ended it", () => readAudit(world).at(-1)?.event === "cancelled");
  });

  await t.step(
    "a client that is killed, or whose terminal is closed, takes its command along",
    async () => {
      for (const signal of ["SIGKILL", "SIGHUP"] as const) {
        const { child, end } = await start(["-v", "-c", "echo up; exec sleep 1005"]);
        child.kill(signal);
        const id = idOf((await end()).stderr);
        await until("it is cancelled", () => eventsOf(id).includes("cancelled"));
      }
    },
  );
}

Deno.test("client: --json has every outcome", (t) =>
  scene(withJson, t, ['QVM_REMOTE_MAX_OUTPUT="2048"', 'QVM_REMOTE_MAX_PROCESSES="20"']));

async function withJson(t: Deno.TestContext, qubes: Installed, first: Daemon): Promise<void> {
  const { world } = qubes;
  const json = (text: string): Record<string, unknown> => {
    assertEquals(text.trimEnd().split("\n").length, 1, text);
    return JSON.parse(text);
  };
  const cases: readonly (readonly [outcome: string, code: number, words: readonly string[]])[] = [
    ["done", 3, ["-c", "echo out; echo err >&2; exit 3"]],
    ["timeout", 124, ["-t", "1", "-c", "echo out; echo err >&2; sleep 1003"]],
    ["output-limit", 137, ["-c", "echo out; echo err >&2; yes"]],
    ["process-limit", 137, [
      "-c",
      "echo out; echo err >&2; for i in {1..30}; do sleep 1004 & done; wait",
    ]],
  ];
  for (const [outcome, code, words] of cases) {
    await t.step(outcome, async () => {
      const end = await qubes.client(VM, ["--json", ...words]);
      const said = json(end.stdout);
      assertEquals([end.code, said["exit"], said["outcome"]], [code, code, outcome], end.stdout);
      assertEquals([said["signed"], said["reason"], said["stderr"]], [true, null, "err\n"]);
      assertMatch(String(said["stdout"]), /^out\n/);
      assertMatch(String(said["id"]), /^\d{8}-\d{6}-\d+-[0-9a-f]{8}$/);
      assert(typeof said["duration_ms"] === "number");
    });
  }
  await t.step("cancelled", async () => {
    const child = qubes.spawnClient(VM, ["--json", "sleep", "1005"]);
    await until("it runs", () => isSleeping(qubes, 1005));
    child.kill("SIGINT");
    const { code, stdout } = await finish(child);
    assertEquals([code, json(stdout)["outcome"]], [130, "cancelled"]);
  });
  await t.step("bytes that are no text are base64, and said to be", async () => {
    const said = json((await qubes.client(VM, ["--json", "-c", "printf '\\377\\376'"])).stdout);
    assertEquals([said["stdout_base64"], said["stdout"]], [btoa("\xff\xfe"), undefined]);
  });
  await t.step("refused", async () => {
    await Deno.writeTextFile(policy(qubes), "* work * deny\n");
    const end = await refusedClient(qubes, ["--json", "true", "x"]);
    const said = json(end.stdout);
    assertEquals([end.code, said["outcome"], said["reason"]], [126, "refused", "policy-denied"]);
    await Deno.remove(policy(qubes));
    await untilRuns(qubes);
  });
  await t.step("interrupted", async () => {
    const child = qubes.spawnClient(VM, ["--json", "sleep", "1006"]);
    await until("it runs", () => isSleeping(qubes, 1006));
    await first.kill();
    const second = await qubes.startDaemon([VM]);
    const { code, stdout } = await finish(child);
    assertEquals([code, json(stdout)["outcome"]], [130, "interrupted"]);
    const ended = qubes.spawnClient(VM, ["--json", "sleep", "1007"]);
    await until("it runs", () => isSleeping(qubes, 1007));
    assertEquals(await second.stop(), 0);
    const end = await finish(ended);
    assertEquals([end.code, json(end.stdout)["outcome"]], [126, "stopping"]);
  });
  await t.step("daemon not running: 124, a hint, and the request is taken back", async () => {
    const end = await qubes.client(VM, ["--json", "-t", "1", "true", "x"]);
    assertEquals([end.code, json(end.stdout)["outcome"]], [124, "withdrawn"]);
    assertMatch(end.stderr, /timed out after 1s .*\n.*hint: .*qvm-remote-dom0 status/);
    assertEquals((await openQueue(world, VM)).names("pending"), []);
  });
  await t.step("usage errors are 2 and JSON too", async () => {
    const end = await qubes.client(VM, ["--json", "-t", "0", "true"]);
    assertEquals([end.code, json(end.stdout)["exit"]], [2, 2]);
  });
}

Deno.test("client: what it is refused, and why", (t) => scene(withRefusals, t));

async function withRefusals(t: Deno.TestContext, qubes: Installed): Promise<void> {
  const { world } = qubes;
  const home = `${world.vmHome(VM)}/.qvm-remote`;
  await t.step("policy: * work * deny", async () => {
    await Deno.writeTextFile(policy(qubes), "* work * deny\n");
    const { code, stderr, stdout } = await refusedClient(qubes, ["echo", "x"]);
    assertEquals([code, stdout], [126, ""]);
    assertMatch(
      stderr,
      /refused by dom0: the policy in dom0 does not allow it \(id=\S+\)/,
    );
    await Deno.remove(policy(qubes));
    await untilRuns(qubes);
  });
  await t.step("policy: * work * ask, and a person says no", async () => {
    await Deno.writeTextFile(policy(qubes), "* work * ask\n");
    let ends = finish(qubes.spawnClient(VM, ["echo", "x"]));
    await until("it waits", async () => {
      if ((await qubes.dom0(["deny", "1", "--reason", "not now"])).code === 0) return true;
      // Until the rule is taken up, it runs.
      const ended = await Promise.race([ends, new Promise((resolve) => setTimeout(resolve, 50))]);
      if (ended !== undefined) ends = finish(qubes.spawnClient(VM, ["echo", "x"]));
      return false;
    });
    const { code, stderr, stdout } = await ends;
    assertEquals([code, stdout], [126, ""]);
    assertMatch(stderr, /waiting for approval in dom0[^]*qvm-remote-dom0: not now\n[^]*refused by/);
    await Deno.remove(policy(qubes));
    await untilRuns(qubes);
  });
  await t.step("locked down", async () => {
    assertEquals((await qubes.dom0(["lockdown"])).code, 0);
    const { code, stderr } = await qubes.client(VM, ["echo", "x"]);
    assertEquals(code, 126);
    assertMatch(
      stderr,
      /refused by dom0: dom0 is locked down .*\n.*hint: .*qvm-remote-dom0 unlock/,
    );
    assertEquals((await qubes.dom0(["unlock"])).code, 0);
    assertEquals((await qubes.client(VM, ["echo", "x"])).code, 0);
  });
  await t.step("the clocks differ: stale, future", async () => {
    const queue = await openQueue(world, VM);
    for (const [reason, byMs] of [["stale", -301_000], ["future", 90_000]] as const) {
      const id = await queue.publish("echo x", { issuedAtMs: Date.now() + byMs });
      const { outcome } = await queue.answer(id);
      assertEquals([outcome.kind, outcome.reason], ["refused", reason]);
    }
  });
  await t.step("another key here than in dom0", async () => {
    const key = await Deno.readTextFile(`${home}/auth.key`);
    assertEquals((await qubes.client(VM, ["key", "gen", "--force"])).code, 0);
    const { code, stderr } = await qubes.client(VM, ["echo", "x"]);
    assertEquals(code, 255);
    assertMatch(stderr, /not signed with this VM's key/);
    assertMatch(stderr, /hint: .*qvm-remote key fingerprint.*qvm-remote-dom0 keys/);
    assertEquals(readAudit(world).at(-1)?.reason, "bad-mac");
    await Deno.writeTextFile(`${home}/auth.key`, key);
  });
  await t.step("a key that others could read", async () => {
    await Deno.chmod(`${home}/auth.key`, 0o640);
    const { code, stderr } = await qubes.client(VM, ["echo", "x"]);
    assertEquals(code, 1);
    assertMatch(stderr, /auth\.key can be read by group or other\n.*hint: .*chmod 600/);
    await Deno.chmod(`${home}/auth.key`, 0o600);
  });
  await t.step("folders that were open are closed when dom0 connects", async () => {
    await Deno.chmod(home, 0o755);
    await Deno.chmod(`${home}/queue/results`, 0o777);
    const { pid = 0 } = seenProcesses(world).find(({ vm, commandLine }) =>
      vm === VM && commandLine.includes("qvmremote.Queue")
    ) ?? {};
    signalProcess(pid, "SIGKILL");
    await untilRuns(qubes);
    const modeOf = (path: string): number =>
      (Deno.statSync(path).mode ?? 0) & 0o777;
    assertEquals([modeOf(home), modeOf(`${home}/queue/results`)], [0o700, 0o700]);
  });
  await t.step("no key", async () => {
    await Deno.remove(`${home}/auth.key`);
    const { code, stderr } = await qubes.client(VM, ["echo", "x"]);
    assertEquals(code, 1);
    assertMatch(stderr, /no key configured\. Run: qvm-remote key gen\n/);
  });
}

const policy = ({ world }: Installed): string =>
  `${world.dom0Root}/etc/qubes/remote-policy.d/10-test.policy`;

/** The daemon takes a changed policy up within a moment: asks until it did. */
async function refusedClient(qubes: Installed, words: readonly string[]) {
  for (const deadline = Date.now() + 60_000;;) {
    const end = await qubes.client(VM, words);
    if (end.code !== 0 || Date.now() > deadline) return end;
  }
}

async function untilRuns(qubes: Installed): Promise<void> {
  for (const deadline = Date.now() + 60_000;;) {
    const { code, stderr } = await qubes.client(VM, ["true", "x"]);
    if (code === 0) return;
    if (Date.now() > deadline) throw new Error(`still refused: ${stderr}`);
  }
}

function isSleeping({ world }: Installed, seconds: number): boolean {
  return seenProcesses(world).some(({ commandLine }) => commandLine === `sleep ${seconds}`);
}

async function textOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  return new TextDecoder().decode((await reader.read()).value);
}

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<readonly number[]> {
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))];
}
