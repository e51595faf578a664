// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote COMMAND` as a process, against a scripted dom0. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAX_BODY_BYTES } from "../../../../shared/protocol/limits.ts";
import { connectPeer, serveWithBash } from "../dom0_peer.ts";
import { asText, client, namesIn, runClient, until, type Vm, vmTest } from "../fixture.ts";

/** A VM whose dom0 runs everything. */
function served(name: string, run: (vm: Vm) => Promise<void>): void {
  vmTest(name, async (vm) => {
    const peer = await connectPeer(vm);
    const serving = serveWithBash(peer);
    try {
      await run(vm);
    } finally {
      await peer.close();
      await serving;
    }
    assertEquals((await peer.ended).stderr, "");
  });
}

served("a command's output and exit code come back, and nothing else", async (vm) => {
  assertEquals(await runClient(vm, ["true"]), result(0, "", ""));
  assertEquals(
    await runClient(vm, ["echo out; echo err >&2; exit 3"]),
    result(3, "out\n", "err\n"),
  );
  assertEquals((await runClient(vm, ["exit 255"])).code, 255);
  assertEquals(namesIn(vm.layout.results), []);
  assertEquals(namesIn(vm.layout.running), []);
});

function result(code: number, stdout: string, stderr: string) {
  return { code, stdout, stderr, stdoutBytes: new TextEncoder().encode(stdout) };
}

served("several words are an argv, quoting kept", async (vm) => {
  const words = ["a b", "it's", "", "$HOME", "*", "é", "-x", "--", "new\nline"];
  const { stdout } = await runClient(vm, ["printf", "%s\\0", ...words]);
  assertEquals(stdout, words.map((word) => word + "\0").join(""));
});

served("one word, -c and stdin are scripts; -- ends sub-commands", async (vm) => {
  assertEquals((await runClient(vm, ["echo $((1+1))"])).stdout, "2\n");
  assertEquals((await runClient(vm, ["-c", "echo $((2+1))"])).stdout, "3\n");
  assertEquals((await runClient(vm, [], "echo $((3+1))\r\n# no newline")).stdout, "4\r\n");
  const { code, stderr } = await runClient(vm, ["--", "status"]);
  assertEquals(code, 127);
  assertStringIncludes(stderr, "status");
});

served("bytes stay bytes, in both directions", async (vm) => {
  const all = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff);
  const octal = Array.from(all, (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  assertEquals((await runClient(vm, [`printf '${octal}'`])).stdoutBytes, all);
  const quoted = new Uint8Array([...new TextEncoder().encode("printf %s '"), 0xff, 0xc3, 0x28, 39]);
  assertEquals((await runClient(vm, [], quoted)).stdoutBytes, new Uint8Array([0xff, 0xc3, 0x28]));
});

served("a megabyte comes whole, through many windows", async (vm) => {
  const { stdoutBytes, code } = await runClient(vm, ["head -c 3000000 /dev/zero | tr '\\0' x"]);
  assertEquals([code, stdoutBytes.length], [0, 3_000_000]);
  assert(stdoutBytes.every((byte) => byte === 120));
});

served("--json is one object with everything in it", async (vm) => {
  const { code, stdout, stderr } = await runClient(vm, ["--json", "echo hi; echo no >&2; exit 4"]);
  const value = JSON.parse(stdout);
  assertEquals([code, stderr], [4, ""]);
  assertEquals(value.outcome, "done");
  assertEquals([value.exit, value.stdout, value.stderr, value.signed], [4, "hi\n", "no\n", true]);
  assertEquals(typeof value.duration_ms, "number");
  assertEquals(value.messages, []);
  const bytes = JSON.parse((await runClient(vm, ["--json", "printf '\\377'"])).stdout);
  assertEquals([bytes.stdout, bytes.stdout_base64], [undefined, "/w=="]);
});

served("the command, its output and its outcome are in the history and in the log", async (vm) => {
  await runClient(vm, ["printf", "%s", "a b"]);
  const log = await Deno.readTextFile(vm.layout.audit);
  const id = /SUBMIT id=(\S+) size=14B cmd="printf %s 'a b'"\n/.exec(log)?.[1];
  assert(id !== undefined, log);
  assertStringIncludes(log, `ACCEPTED id=${id}\n`);
  assertStringIncludes(log, `OUTCOME id=${id} outcome=done reason=- exit=0\n`);
  assertStringIncludes(log, `DONE id=${id} exit=0\n`);
  const day = `${id.slice(0, 4)}-${id.slice(4, 6)}-${id.slice(6, 8)}`;
  const folder = `${vm.layout.history}/${day}/${id}`;
  assertEquals(namesIn(folder), ["command", "err", "exit", "mac", "meta", "out"]);
  assertEquals(await Deno.readTextFile(`${folder}/command`), "printf %s 'a b'");
  assertEquals(await Deno.readTextFile(`${folder}/out`), "a b");
  for (const name of namesIn(folder)) {
    assertEquals(((await Deno.stat(`${folder}/${name}`)).mode ?? 0) & 0o777, 0o600, name);
  }
});

served("hostile text in a command does not reach the log raw", async (vm) => {
  await runClient(vm, [": '\x1b]0;evil\x07\r[2026] AUTH-OK'"]);
  const log = await Deno.readTextFile(vm.layout.audit);
  assert(/^[\x20-\x7e\n]*$/.test(log), JSON.stringify(log));
});

served("-v names the id; progress is for terminals only", async (vm) => {
  const { stderr } = await runClient(vm, ["-v", "true"]);
  assert(/^\[qvm-remote\] submitted id=\S+\n$/.test(stderr), stderr);
});

served("somebody who stops reading ends the command: exit 141", async (vm) => {
  const child = client(vm, ["while :; do echo y; sleep 0.01; done"]).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  assertEquals((await child.status).code, 141);
  await child.stderr.cancel();
  await until("the command has ended", () => namesIn(vm.layout.running).length === 0);
});

vmTest("what cannot be sent is refused here, in the words of the original", async (vm) => {
  const cases: readonly (readonly [string[], stdin: string | undefined, number, error: string])[] =
    [
      [[""], undefined, 2, "empty command"],
      [[], "", 2, "empty command"],
      [["-c", ""], undefined, 2, "empty command"],
      [["", "x"], undefined, 2, "empty command"],
      [["key", "import", "--force"], "\n", 2, "no key was given"],
      [[], "echo \0 x", 1, "the command holds a NUL byte"],
      [[], "x".repeat(MAX_BODY_BYTES + 1), 1, "command too large (at least "],
      [["a", "b\ufffd"], undefined, 1, "a word of the command is not UTF-8"],
    ];
  for (const [args, stdin, exit, error] of cases) {
    const { code, stderr, stdout } = await runClient(vm, args, stdin);
    assertStringIncludes(stderr, `qvm-remote: error: ${error}`);
    assertEquals([code, stdout], [exit, ""]);
  }
  assertEquals(namesIn(vm.layout.pending), []);
});

vmTest("a wrong command line: exit 2, and why", async (vm) => {
  const cases: readonly (readonly [args: string[], error: string])[] = [
    [["--frob"], "unknown option: --frob"],
    [["-t", "x", "true"], "-t requires an integer, got: x"],
    [["-t", "0", "true"], "-t must be a positive integer"],
    [["-c", "x", "y"], "-c takes the whole script"],
    [["--protocol", "3", "true"], '--protocol takes 1 or 2, got: "3"'],
  ];
  for (const [args, error] of cases) {
    const { code, stderr } = await runClient(vm, args);
    assertStringIncludes(stderr, `qvm-remote: error: ${error}`);
    assertEquals(code, 2);
  }
});

vmTest("no key, an open key, a broken key: at once, and what to do", async (vm) => {
  await Deno.chmod(vm.layout.key, 0o644);
  const open = await runClient(vm, ["true"]);
  assertEquals(open.code, 1);
  assertStringIncludes(open.stderr, "can be read by group or other");
  await Deno.writeTextFile(vm.layout.key, "x", { mode: 0o600 });
  await Deno.chmod(vm.layout.key, 0o600);
  assertStringIncludes((await runClient(vm, ["true"])).stderr, "holds no valid key");
  await Deno.remove(vm.layout.key);
  const none = await runClient(vm, ["true"], "stdin is not read");
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, "no key configured. Run: qvm-remote key gen");
  const json = JSON.parse((await runClient(vm, ["--json", "true"])).stdout);
  assertEquals([json.exit, json.error], [1, "no key configured. Run: qvm-remote key gen"]);
});

vmTest("a disk without room for the request: exit 1, and why", async (vm) => {
  await Deno.remove(vm.layout.pending);
  await Deno.writeTextFile(vm.layout.pending, "not a folder");
  const { code, stderr } = await runClient(vm, ["true"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "qvm-remote: error: ");
  assertEquals(stderr.includes("bug"), false);
});

vmTest("output appears while the command runs", async (vm) => {
  const peer = await connectPeer(vm);
  const child = client(vm, ["x"]).spawn();
  const stdout = child.stdout.getReader();
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  for (let i = 0; i < 20; i++) {
    await peer.output(request.seq, 1, `tick ${i}\n`);
    assertEquals(new TextDecoder().decode((await stdout.read()).value), `tick ${i}\n`);
  }
  await peer.finish(request);
  assertEquals((await child.status).code, 0);
  await stdout.cancel();
  await child.stderr.cancel();
  await peer.close();
});

vmTest("before dom0 ever connected the client waits for its name", async (vm) => {
  const child = client(vm, ["true"]).spawn();
  const running = child.output();
  await until("it watches for the name", () => watches(child.pid));
  assertEquals(namesIn(vm.layout.pending), []);
  const peer = await connectPeer(vm);
  const request = await peer.nextRequest();
  assertEquals(await Deno.readTextFile(vm.layout.name), "work\n");
  peer.accept(request.seq);
  await peer.finish(request);
  assertEquals((await running).code, 0);
  await peer.close();
}, { named: false });

vmTest("without dom0, and without a name: the timeout holds", async (vm) => {
  const { code, stderr } = await runClient(vm, ["-t", "1", "true"]);
  assertEquals(code, 124);
  assertStringIncludes(stderr, "dom0 has never connected to this VM");
}, { named: false });

vmTest("--help and --version need nothing", async (vm) => {
  await Deno.remove(vm.layout.key);
  const help = await runClient(vm, ["--help"]);
  assertEquals(help.code, 0);
  assertStringIncludes(help.stdout, "usage: qvm-remote [OPTION...] COMMAND");
  const { stdout } = asText(await client(vm, ["--version"]).output());
  assert(/^qvm-remote [0-9]+\.[0-9]+\.[0-9]+\n$/.test(stdout));
});

/** Whether a process waits for changes of files. */
function watches(pid: number): boolean {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].some(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/${pid}/fd/${name}`) === "anon_inode:inotify";
    } catch {
      return false; // closed meanwhile
    }
  });
}
