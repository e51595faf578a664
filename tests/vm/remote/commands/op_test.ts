// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote op`, `ops`, `plan`, --why and --explain, as processes, against a scripted dom0. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Command, parseCommand } from "../../../../shared/protocol/command.ts";
import { encodeFlags } from "../../../../shared/protocol/flags.ts";
import { connectPeer, type Dom0Peer, type PeerRequest } from "../dom0_peer.ts";
import { type ClientResult, runClient, runInTerminal, type Vm, vmTest } from "../fixture.ts";

interface Seen {
  readonly command: Command;
  readonly flags: string;
  readonly why: string | null;
  readonly timeoutMs: number;
}

/** Runs the client; dom0 answers as it is told to. */
async function answered(
  vm: Vm,
  peer: Dom0Peer,
  args: readonly string[],
  answer: (request: PeerRequest) => Promise<void>,
  stdin?: string,
): Promise<ClientResult & Seen> {
  const running = runClient(vm, args, stdin);
  const request = await peer.nextRequest();
  const { mode, body, flags, why, timeoutMs } = request.request;
  await answer(request);
  peer.credit(1);
  const command = parseCommand(mode, body);
  return { ...await running, command, flags: encodeFlags(flags), why, timeoutMs };
}

function withPeer(name: string, run: (vm: Vm, peer: Dom0Peer) => Promise<void>): void {
  vmTest(name, async (vm) => {
    const peer = await connectPeer(vm);
    await run(vm, peer);
    await peer.close();
  });
}

const printing =
  (peer: Dom0Peer, stdout: string, exitCode = 0, stderr = "") =>
  async (request: PeerRequest): Promise<void> => {
    peer.accept(request.seq);
    if (stdout !== "") await peer.output(request.seq, 1, stdout);
    if (stderr !== "") await peer.output(request.seq, 2, stderr);
    await peer.finish(request, "done", exitCode);
  };

withPeer(
  "op names an operation with its values, and prints what the tool prints",
  async (vm, peer) => {
    const args = ["op", "vm.run", "vm=work", "command=ls -l = x", "user="];
    const result = await answered(vm, peer, args, printing(peer, "total 0\n", 3, "odd\n"));
    assertEquals(result.command, {
      mode: "op",
      name: "vm.run",
      pairs: [["vm", "work"], ["command", "ls -l = x"], ["user", ""]],
    });
    assertEquals([result.flags, result.why], ["-", null]);
    assertEquals([result.code, result.stdout, result.stderr], [3, "total 0\n", "odd\n"]);
    const { stdout } = await runClient(vm, ["history"]);
    assertMatch(stdout, /op vm\.run vm=work/);
  },
);

withPeer(
  "an operation has the time that it is known to take, a plan that of its steps",
  async (vm, peer) => {
    const plan = `${vm.home}/time.yaml`;
    Deno.writeTextFileSync(plan, "- {operation: vm.restart, vm: a}\n- {operation: vm.list}\n");
    const cases: readonly (readonly [args: string[], seconds: number])[] = [
      [["op", "backup.verify"], 4 * 3600],
      [["op", "vm.clone", "vm=a", "new_vm=b"], 3600],
      [["op", "vm.list"], 60],
      [["op", "vm.clone", "-t", "5"], 5],
      [["-t", "7", "op", "vm.list", "--json"], 7],
      [["plan", plan], 420],
      [["plan", plan, "-t", "8"], 8],
      [["true"], 300],
    ];
    for (const [args, seconds] of cases) {
      const { timeoutMs } = await answered(vm, peer, args, printing(peer, ""));
      assertEquals(timeoutMs, 1000 * seconds, args.join(" "));
    }
  },
);

withPeer("op --json gives the value alone, or the object of every command", async (vm, peer) => {
  const args = ["op", "vm.info", "vm=work", "--json"];
  const done = await answered(vm, peer, args, printing(peer, '{"label": "red\u202e"}\n'));
  assertEquals([done.flags, done.code, done.stderr], ["json", 0, ""]);
  assertEquals(done.stdout, '{"label":"red\\u202e"}\n', "and steers no terminal");
  const failed = await answered(vm, peer, args, printing(peer, "", 1, "no such domain\n"));
  assertEquals(failed.code, 1);
  const told = JSON.parse(failed.stdout);
  assertEquals([told.outcome, told.exit, told.stderr], ["done", 1, "no such domain\n"]);
  const refused = await answered(vm, peer, args, async (request) => {
    peer.accept(request.seq);
    await peer.output(request.seq, 2, 'qvm-remote-dom0: no parameter "lable"\n');
    await peer.refuse(request, "bad-operation");
  });
  assertEquals(refused.code, 126);
  assertEquals(JSON.parse(refused.stdout).reason, "bad-operation");
  assertStringIncludes(JSON.parse(refused.stdout).stderr, "lable");
});

const OPERATIONS = JSON.stringify([
  { name: "vm.list", level: "monitor", decision: "allow", summary: "The qubes there are.", x: 1 },
  { name: "vm.start", level: "manage", decision: "ask", summary: "Starts a qube." },
]);

withPeer("ops is a table for people, and what dom0 said for programs", async (vm, peer) => {
  const table = await answered(vm, peer, ["ops"], printing(peer, OPERATIONS));
  assertEquals(table.command, { mode: "op", name: "ops", pairs: [] });
  assertEquals(
    table.stdout,
    "OPERATION  LEVEL    YOU MAY  WHAT IT DOES\n" +
      "vm.list    monitor  allow    The qubes there are.\n" +
      "vm.start   manage   ask      Starts a qube.\n",
  );
  const json = await answered(vm, peer, ["ops", "--json"], printing(peer, OPERATIONS));
  assertEquals(JSON.parse(json.stdout), JSON.parse(OPERATIONS));
  const odd = await answered(vm, peer, ["ops"], printing(peer, "[1, 2]"));
  assertEquals(odd.stdout, "[1, 2]", "a newer dom0's list is better than none");
});

withPeer("ops has colours on a terminal", async (vm, peer) => {
  const running = runInTerminal(vm, ["ops"]);
  const request = await peer.nextRequest();
  await printing(peer, OPERATIONS)(request);
  assertStringIncludes(await running, "\x1b[33mask    \x1b[0m");
});

withPeer("--explain asks of words, scripts and operations, and runs nothing", async (vm, peer) => {
  const told = '{"operation":"vm.start","decision":"ask","because":"30-x.policy:3"}';
  const kinds: readonly (readonly [args: string[], mode: string])[] = [
    [["--explain", "qvm-start", "work"], "argv"],
    [["--explain", "qvm-start work"], "script"],
    [["op", "vm.start", "vm=work", "--explain"], "op"],
  ];
  for (const [args, mode] of kinds) {
    const { command, flags, stdout, code } = await answered(vm, peer, args, printing(peer, told));
    assertEquals([command.mode, flags, code], [mode, "explain", 0]);
    assertEquals(stdout, "operation  vm.start\ndecision   ask\nbecause    30-x.policy:3\n");
  }
  const json = await answered(vm, peer, ["--json", ...kinds[0]?.[0] ?? []], printing(peer, told));
  assertEquals(json.stdout, told + "\n");
});

withPeer(
  "--why goes with everything that runs something, and is checked here",
  async (vm, peer) => {
    const why = "the build needs it: 理由";
    for (const args of [["--why", why, "true"], ["op", "vm.list", "--why", why]]) {
      assertEquals((await answered(vm, peer, args, printing(peer, ""))).why, why);
    }
    for (const bad of ["", "two\nlines", "\x1b[2J", "a".repeat(201)]) {
      const { code, stderr } = await runClient(vm, ["--why", bad, "true"]);
      assertEquals(code, 2, JSON.stringify(bad));
      assertStringIncludes(stderr, "--why takes one line of 1 to 200 characters, got: ");
    }
  },
);

withPeer("what is no call of an operation is refused here, and says how to go on", async (vm) => {
  const cases: readonly (readonly [args: string[], code: number, text: string])[] = [
    [["op"], 2, "too few words"],
    [["op", ""], 2, 'not the name of an operation: ""'],
    [["op", "vm=work"], 2, "not the name of an operation"],
    [["op", "vm.info", "work"], 2, 'not KEY=VALUE: "work"'],
    [["op", "vm.info", "=work"], 2, 'not KEY=VALUE: "=work"'],
    [["--protocol", "1", "op", "vm.info"], 2, "--protocol does not go with op"],
    [["--protocol", "1", "--why", "x", "true"], 2, "--why does not go with --protocol 1"],
    [["--protocol", "1", "--explain", "true"], 2, "--explain does not go with --protocol 1"],
    [["--protocol", "1", "--detach", "true"], 2, "--detach does not go with --protocol 1"],
    [
      [
        "op",
        "vm.run",
        `command=${"x".repeat(100_000)}`,
        ...Array(11).fill(`k=${"y".repeat(99_000)}`),
      ],
      1,
      "command too large",
    ],
  ];
  for (const [args, code, text] of cases) {
    const result = await runClient(vm, args);
    assertEquals(result.code, code, text);
    assertStringIncludes(result.stderr, text);
  }
});

withPeer("plan sends a file as JSON, and --check asks only", async (vm, peer) => {
  const file = `${vm.home}/plan.yaml`;
  await Deno.writeTextFile(file, "- operation: vm.start\n  vm: work\n");
  const step = '{"step":1,"operation":"vm.start","outcome":"done","exit":0}';
  const whole = '{"plan":"done","steps":1,"done":1}';
  const ran = await answered(vm, peer, ["plan", file], printing(peer, `${step}\n${whole}\n`));
  assertEquals(ran.command, {
    mode: "plan",
    text: '{"steps":[{"operation":"vm.start","vm":"work"}]}',
  });
  assertEquals([ran.flags, ran.code], ["-", 0]);
  assertEquals(ran.stdout, "step 1: vm.start: done\nplan done: 1 of 1 steps done\n");
  const json = await answered(
    vm,
    peer,
    ["plan", file, "--undo-on-failure", "--json", "--why", "because"],
    printing(peer, `${step}\n{"plan":"cut`, 5),
  );
  assertEquals([json.code, json.stdout, json.why], [5, `${step}\n{"plan":"cut\n`, "because"]);
  assert(json.command.mode === "plan");
  assertStringIncludes(json.command.text, '"undoOnFailure":true');
  const checked = await answered(
    vm,
    peer,
    ["plan", "--check", "-"],
    printing(peer, '{"operation":"plan","decision":"ask"}'),
    '{"steps": []}',
  );
  assertEquals([checked.flags, checked.stdout], ["explain", "operation  plan\ndecision   ask\n"]);
});

withPeer("a plan that is none does not reach dom0", async (vm) => {
  const file = `${vm.home}/plan.yaml`;
  const missing = await runClient(vm, ["plan", file]);
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, "no such file: ");
  await Deno.writeTextFile(file, "a: 1\na: 2\n");
  const twice = await runClient(vm, ["plan", file]);
  assertEquals(twice.code, 1);
  assertStringIncludes(twice.stderr, "duplicated key");
  await Deno.writeFile(file, new Uint8Array(1024 * 1024 + 1).fill(32));
  const large = await runClient(vm, ["plan", file]);
  assertStringIncludes(large.stderr, "is larger than 1048576 bytes");
});

vmTest("an older dom0: refused by this VM's service, and what to do", async (vm) => {
  const peer = await connectPeer(vm, { first: true });
  for (const args of [["op", "vm.list"], ["--why", "x", "true"], ["--explain", "true"], ["ops"]]) {
    const { code, stderr } = await runClient(vm, args);
    assertEquals(code, 126);
    assertStringIncludes(stderr, "refused by this VM's queue service: dom0's daemon is older");
    assertStringIncludes(stderr, "hint: update qubes-claw in dom0");
  }
  await peer.close();
});
