// SPDX-License-Identifier: GPL-2.0-or-later
/** The sub-commands of qvm-remote: what they print, what they give as JSON, how they end. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { makeRequestId } from "../../../../shared/protocol/request_id.ts";
import { connectPeer, serveWithBash } from "../dom0_peer.ts";
import { client, namesIn, runClient, until, type Vm, vmTest } from "../fixture.ts";
import { runInProcess, scriptRequest } from "../in_process.ts";

async function jsonOf(vm: Vm, ...args: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await runClient(vm, args);
  assert(/^[^\n]+\n$/.test(stdout), `one line: ${stdout}`);
  return JSON.parse(stdout);
}

vmTest("key gen makes a key once, and does not print it", async (vm) => {
  const { fingerprint } = vm.key;
  await Deno.remove(vm.layout.base, { recursive: true });
  const made = await runClient(vm, ["key", "gen"]);
  assertEquals(made.code, 0);
  const text = await Deno.readTextFile(vm.layout.key);
  assert(/^[0-9a-f]{64}$/.test(text));
  assertEquals(((await Deno.stat(vm.layout.key)).mode ?? 0) & 0o777, 0o600);
  assertEquals(((await Deno.stat(vm.layout.base)).mode ?? 0) & 0o777, 0o700);
  assert(/^([0-9a-f]{4}-){7}[0-9a-f]{4}\n$/.test(made.stdout), made.stdout);
  assertEquals((made.stdout + made.stderr).includes(text.slice(0, 8)), false);
  assertStringIncludes(made.stderr, "qvm-remote-dom0 authorize");

  const again = await runClient(vm, ["key", "gen"]);
  assertEquals(again.code, 1);
  assertStringIncludes(again.stderr, "there is a key in ");
  assertStringIncludes(again.stderr, "--force");
  assertEquals(await Deno.readTextFile(vm.layout.key), text);
  assertEquals((await runClient(vm, ["key", "gen", "--force"])).code, 0);
  assert(await Deno.readTextFile(vm.layout.key) !== text && fingerprint !== made.stdout.trim());
});

vmTest("key show, fingerprint and import agree", async (vm) => {
  const shown = (await runClient(vm, ["key", "show"])).stdout;
  assertEquals(shown.trim(), await Deno.readTextFile(vm.layout.key));
  assertEquals((await runClient(vm, ["key", "fingerprint"])).stdout, `${vm.key.fingerprint}\n`);
  assertEquals(await jsonOf(vm, "key", "show", "--json"), { key: shown.trim() });
  assertEquals(await jsonOf(vm, "key", "fingerprint", "--json"), {
    fingerprint: vm.key.fingerprint,
  });
  const other = "0123456789abcdef".repeat(4);
  assertEquals((await runClient(vm, ["key", "import", other])).code, 1);
  assertEquals((await runClient(vm, ["key", "import", "--force", other])).code, 0);
  assertEquals(await Deno.readTextFile(vm.layout.key), other);
  const stdin = await runClient(vm, ["key", "import", "--force"], `${shown.toUpperCase()}\nmore`);
  assertEquals(stdin.code, 0);
  assertEquals(await Deno.readTextFile(vm.layout.key), shown.trim());
  for (const empty of ["", "\n", " ".repeat(4000)]) {
    const { code, stderr } = await runClient(vm, ["key", "import", "--force"], empty);
    assertEquals([code, stderr.includes("no key was given")], [2, true]);
  }
  const endless = await runClient(vm, ["key", "import", "--force"], " ".repeat(5000));
  assertEquals([endless.code, endless.stderr.includes("the line is too long")], [1, true]);
  for (const bad of ["x", `0x${other.slice(2)}`, `${other}0`]) {
    const { code, stderr } = await runClient(vm, ["key", "import", "--force"], bad);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "invalid key (expected 64 hex characters)");
  }
  assertEquals(await Deno.readTextFile(vm.layout.key), shown.trim());
});

vmTest("the old folder's key is found", async (vm) => {
  await Deno.rename(vm.layout.base, vm.layout.legacyBase);
  assertEquals((await runClient(vm, ["key", "fingerprint"])).stdout, `${vm.key.fingerprint}\n`);
  assert((await Deno.stat(vm.layout.key)).isFile);
});

vmTest("ping and status, with dom0 answering", async (vm) => {
  const peer = await connectPeer(vm);
  const serving = serveWithBash(peer);
  const ping = await runClient(vm, ["ping"]);
  assertEquals([ping.code, ping.stderr], [0, ""]);
  assert(/^qvm-remote-dom0 is responding\. \([0-9.]+ ms\)\n$/.test(ping.stdout), ping.stdout);
  const json = await jsonOf(vm, "--json", "ping");
  assertEquals([json.responding, json.ok, json.messages], [true, true, []]);
  const status = await runClient(vm, ["status"]);
  assertEquals(status.code, 0);
  for (
    const line of [
      `data     ${vm.layout.base}\n`,
      "vm       work\n",
      `key      ${vm.key.fingerprint}\n`,
      "queue    0 pending, 0 running, 0 results\n",
      "dom0     responding (",
    ]
  ) assertStringIncludes(status.stdout, line);
  const value = await jsonOf(vm, "status", "--json");
  assertEquals(value.queue, { pending: 0, running: 0, results: 0 });
  assertEquals([value.vm, value.fingerprint, value.responding], ["work", vm.key.fingerprint, true]);
  assertEquals(namesIn(vm.layout.results), []); // a ping leaves nothing behind
  assertEquals((await Deno.readTextFile(vm.layout.audit)).includes("SUBMIT"), false);
  await peer.close();
  await serving;
});

vmTest("ping and status, with dom0 refusing", async (vm) => {
  const peer = await connectPeer(vm);
  const running = runClient(vm, ["ping"]);
  await peer.refuse(await peer.nextRequest(), "locked-down");
  const { code, stdout, stderr } = await running;
  assertEquals(code, 1);
  assertStringIncludes(stdout, "qvm-remote-dom0 is responding.");
  assertStringIncludes(stderr, "refused by dom0: dom0 is locked down");
  await peer.close();
});

vmTest("ping and status, without dom0", async (vm) => {
  const [ping, status] = await Promise.all([
    runClient(vm, ["ping", "-t", "1"]),
    runClient(vm, ["status", "--json"]),
  ]);
  assertEquals([ping.code, ping.stdout], [1, ""]);
  assertStringIncludes(ping.stderr, "qvm-remote-dom0 is NOT responding.\n");
  for (const number of [1, 2, 3, 4]) assertStringIncludes(ping.stderr, `  ${number}. `);
  assertEquals([status.code, JSON.parse(status.stdout).responding], [1, false]);
  assertEquals(namesIn(vm.layout.pending), []);
});

vmTest("status without key and name says what to do, and does not wait", async (vm) => {
  await Deno.remove(vm.layout.key);
  const { code, stdout } = await runClient(vm, ["status"]);
  assertEquals(code, 1);
  assertStringIncludes(stdout, "key      none: run qvm-remote key gen\n");
  assertStringIncludes(stdout, "vm       not known: dom0 has never connected\n");
  assertStringIncludes(stdout, "dom0     NOT responding\n");
}, { named: false });

vmTest("queue, queue status and queue debug", async (vm) => {
  const empty = "pending  0\nrunning  0\nresults  0\n";
  assertEquals((await runClient(vm, ["queue"])).stdout, empty);
  assertEquals((await runClient(vm, ["queue", "status"])).stdout, empty);
  assertEquals((await runClient(vm, ["queue", "debug"])).stdout, "the queue is empty\n");
  const owner = client(vm, ["-t", "60", "true"]).spawn();
  await until("it is in the queue", () => namesIn(vm.layout.pending).length === 1);
  await Deno.writeTextFile(`${vm.layout.pending}/\x1b[31m`, "x");
  assertEquals(await jsonOf(vm, "queue", "--json"), { pending: 2, running: 0, results: 0 });
  const { stdout } = await runClient(vm, ["queue", "debug"]);
  assert(
    /pending +[0-9]+ B +[0-9]+ s {2}[0-9-]+-[0-9a-f]{8} {2}client waits\n/.test(stdout),
    stdout,
  );
  assertStringIncludes(stdout, '"\\u{1b}[31m"');
  const { entries } = await jsonOf(vm, "queue", "debug", "--json");
  assertEquals((entries as unknown[]).length, 2);
  owner.kill("SIGINT");
  await owner.output();
});

vmTest("queue clean takes what no living client owns, and nothing else", async (vm) => {
  const owner = client(vm, ["-t", "60", "true"]).spawn();
  await until("it is in the queue", () => namesIn(vm.layout.pending).length === 1);
  const [owned = ""] = namesIn(vm.layout.pending);
  const dead = client(vm, ["-t", "60", "true"]).spawn();
  await until("the other too", () => namesIn(vm.layout.pending).length === 2);
  dead.kill("SIGKILL");
  await dead.output();
  const abandoned = makeRequestId(Date.now(), 99, 5);
  await Deno.writeTextFile(`${vm.layout.pending}/junk`, "x");
  await Deno.mkdir(`${vm.layout.pending}/folder/sub`, { recursive: true });
  await Deno.writeTextFile(`${vm.layout.cancel}/${abandoned}`, "");
  await Deno.writeTextFile(`${vm.layout.running}/${abandoned}`, "x");
  await Deno.writeTextFile(`${vm.layout.results}/old.part`, "x");
  await Deno.utime(`${vm.layout.results}/old.part`, 1, 1);
  assertEquals(await jsonOf(vm, "queue", "clean", "--json"), {
    ...{ removed: 4, archived: 0, recovered: 0, session: false },
  });
  assertEquals(namesIn(vm.layout.pending), [owned]);
  assertEquals(namesIn(vm.layout.running), [abandoned]);
  assertEquals(namesIn(vm.layout.cancel), [abandoned]);
  const forced = await runClient(vm, ["queue", "clean", "--force"]);
  assertStringIncludes(forced.stdout, "recovered  1\n");
  assertEquals(namesIn(vm.layout.running), []);
  assertEquals(await Deno.readTextFile(`${vm.layout.results}/${abandoned}.exit`), "130");
  assertStringIncludes(await Deno.readTextFile(vm.layout.audit), "QUEUE-CLEAN removed=4");
  owner.kill("SIGINT");
  assertEquals((await owner.output()).code, 130);
});

vmTest("queue clean --force leaves what a session serves", async (vm) => {
  const peer = await connectPeer(vm);
  const running = runInProcess(vm, await scriptRequest(vm, "x"));
  const request = await peer.nextRequest();
  const { stdout } = await runClient(vm, ["queue", "clean", "--force"]);
  assertStringIncludes(stdout, "requests in running/ stay: dom0 is connected");
  await peer.finish(request);
  assertEquals((await running).end.kind, "answered");
  await peer.close();
});

vmTest("log and history", async (vm) => {
  const peer = await connectPeer(vm);
  const serving = serveWithBash(peer);
  assertEquals((await runClient(vm, ["history"])).stdout.split("\n").length, 2);
  for (const script of ["echo one", "echo two; exit 5", "printf '\\033[31m\\377' # \x1b[31m"]) {
    await runClient(vm, [script]);
  }
  const { stdout } = await runClient(vm, ["log", "2"]);
  assertEquals(stdout.split("\n").length, 3);
  assert(/^\[20.*\] OUTCOME id=.*\n\[20.*\] DONE id=.* exit=0\n$/.test(stdout), stdout);
  assertEquals((await jsonOf(vm, "log", "-n", "1", "--json")).lines, [stdout.split("\n")[1]]);
  for (const bad of ["0", "abc", "-1x"]) {
    const { code, stderr } = await runClient(vm, ["log", "-n", bad]);
    assertEquals(code, 2, stderr);
  }
  await Deno.writeTextFile(vm.layout.audit, "old \x1b]0;line\x07\n", { append: true });
  assertEquals((await runClient(vm, ["log", "1"])).stdout, '"old \\u{1b}]0;line\\u{7}"\n');

  const history = await runClient(vm, ["history"]);
  const rows = history.stdout.split("\n");
  assert(/^ID +EXIT +DURATION +COMMAND$/.test(rows[0] ?? ""), rows[0]);
  assert(/ 0 +7 ms {2}"printf .*\\u\{1b\}\[31m"$/.test(rows[1] ?? ""), rows[1]);
  assert(/ 5 +7 ms {2}echo two; exit 5$/.test(rows[2] ?? ""), rows[2]);
  assertEquals((await runClient(vm, ["history", "1"])).stdout.split("\n").length, 3);
  const list = (await jsonOf(vm, "history", "--json")).history as Record<string, unknown>[];
  assertEquals(list.map(({ exit }) => exit), [0, 5, 0]);
  const id = String(list[1]?.id);
  const shown = (await runClient(vm, ["history", "show", id])).stdout;
  assertStringIncludes(shown, `id        ${id}\noutcome   done\nexit      5\n`);
  assertStringIncludes(shown, "--- stdout: 4 bytes\ntwo\n--- stderr: 0 bytes\n");
  const value = await jsonOf(vm, "history", "show", id, "--json");
  assertEquals([value.command, value.stdout, value.exit], ["echo two; exit 5", "two\n", 5]);
  for (
    const [word, why] of [["x", "not an id"], [makeRequestId(0 + 1e12, 1, 1), "no such entry"]]
  ) {
    const { code, stderr } = await runClient(vm, ["history", "show", word ?? ""]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, why ?? "");
  }
  await peer.close();
  await serving;
});
