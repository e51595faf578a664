// SPDX-License-Identifier: GPL-2.0-or-later
/** The wire format of the Python original, in both directions. @module */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assertCleanRecords, assertSmall, awaitRecord, tracesIn } from "./hostile_scene.ts";
import { install, type Installed, readAudit, until } from "./installed.ts";
import {
  type OriginalClient,
  originalClient,
  originalDaemon,
  type Submission,
  v1Id,
} from "./v1_original.ts";

async function clientOf(qubes: Installed, vm: string): Promise<OriginalClient & { base: string }> {
  const base = `${qubes.world.vmHome(vm)}/.qvm-remote`;
  return { base, ...originalClient(base, (await Deno.readTextFile(`${base}/auth.key`)).trim()) };
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("the original's client is served where that is accepted", async (t) => {
  await using qubes = await install([{ name: "old" }, { name: "strict" }]);
  await qubes.authorize("old", "--accept-v1");
  await qubes.authorize("strict");
  let daemon = await qubes.startDaemon(["old", "strict"]);
  const traces = await tracesIn(qubes);
  const old = await clientOf(qubes, "old");
  const pending = `${old.base}/queue/pending`;
  const run = async (script: string, submission?: Submission) => {
    const id = await old.submit(script, submission);
    return { id, ...await old.answer(id) };
  };

  await t.step("out, err, exit and meta are there when exit is", async () => {
    const { id, exit, stdout, stderr, meta } = await run("echo out; echo err >&2; exit 7\n");
    assertEquals([exit, stdout, stderr], ["7", "out\n", "err\n"]);
    assertMatch(meta ?? "", new RegExp(`^id=${id}\n`));
    assertMatch(meta ?? "", /\nexit_code=7\n/);
    assertMatch(meta ?? "", /\nduration_ms=[0-9]+\n/);
    assertEquals(namesIn(pending), [`${id}.cmd`], "the client's own copy stays");
    await old.archive(id);
    await until("running/ is empty", () => namesIn(`${old.base}/queue/running`).length === 0);
    await awaitRecord(qubes, { event: "accepted", vm: "old", id, protocol: 1 });
  });
  const orders: readonly (readonly [string, Submission])[] = [
    ["body, token, copy, slowly", { pauseMs: 300 }],
    ["a body in two parts, before its token", { splitMs: 500 }],
    ["the token first", { order: ["auth", "cmd", "body"], byRename: true }],
    ["the token last, late", { order: ["cmd", "body", "auth"], pauseMs: 900 }],
    ["no copy", { order: ["body", "auth"] }],
    ["a clock 14 hours ahead", { id: v1Id(14) }],
    ["a clock 12 hours behind", { id: v1Id(-12) }],
  ];
  await t.step("files in other orders, late, and clocks of other zones", async () => {
    const answers = await Promise.all(orders.map(([name, how]) => run(`echo '${name}'`, how)));
    assertEquals(
      answers.map(({ exit, stdout }) => [exit, stdout]),
      orders.map(([name]) => ["0", `${name}\n`]),
    );
  });
  await t.step("its ping", async () => {
    const id = `ping-${Date.now()}123456-${Deno.pid}`;
    assertEquals((await run("true\n", { id, order: ["body", "auth"] })).exit, "0");
  });
  await t.step("a signal", async () => {
    assertEquals((await run("kill -9 $$\n")).exit, "137");
  });
  await t.step("many at once", async () => {
    const numbers = Array.from({ length: 30 }, (_, n) => n);
    const answers = await Promise.all(numbers.map((n) => run(`echo ${n}`)));
    assertEquals(answers.map(({ stdout }) => Number(stdout)), numbers);
  });

  const refused: readonly (readonly [string, string, Submission, string?])[] = [
    ["a wrong token", "bad-mac", { token: "0".repeat(64) }],
    ["no token", "", { order: ["body", "cmd"] }],
    ["a token that is none", "", { token: "\x1b[31m" }],
    ["another id's token", "bad-mac", { token: old.token(v1Id()) }],
    ["a date of yesterday", "stale", { id: v1Id(-24) }],
    ["a date of tomorrow", "future", { id: v1Id(24) }],
    ["no body", "bad-body", {}, ""],
    ["a NUL", "bad-body", {}, "echo \0\n"],
    ["more than a MiB", "", {}, "#".repeat(1024 * 1024 + 1)],
  ];
  await t.step("what is refused is answered: 126, and why", async () => {
    await Promise.all(refused.map(async ([name, reason, how, body]) => {
      const id = how.id ?? v1Id();
      const script = body ?? traces.script("never");
      const { exit, stdout, stderr } = await run(script, { ...how, id });
      assertEquals([exit, stdout], ["126", ""], `${name}: ${stderr}`);
      assertMatch(stderr, /^(qvm-remote-dom0|qvmremote\.Queue): [^\n]+\n$/, name);
      if (reason !== "") await awaitRecord(qubes, { event: "refused", vm: "old", id, reason });
    }));
    // The answer is there before the request goes.
    await until(
      "nothing is left of them",
      () => namesIn(pending).every((name) => name.endsWith(".cmd")),
    );
    assertEquals([...traces.seen()], []);
  });

  await t.step("where it is not accepted, a refusal comes, not a wait without end", async () => {
    const strict = await clientOf(qubes, "strict");
    const id = await strict.submit(traces.script("never"));
    const { exit, stderr } = await strict.answer(id);
    assertEquals(exit, "126");
    assertStringIncludes(stderr, "protocol 1");
    await awaitRecord(qubes, { event: "refused", vm: "strict", id, reason: "v1-not-accepted" });
    assertEquals(namesIn(`${strict.base}/queue/pending`), []);
  });

  /** The same id and token again, with the results gone: as the original pings, or an attacker. */
  const again = async (id: string, script: string): Promise<void> => {
    const before = readAudit(qubes.world).length;
    for (const name of namesIn(`${old.base}/queue/results`)) {
      if (name.startsWith(id)) await Deno.remove(`${old.base}/queue/results/${name}`);
    }
    assertEquals((await run(script, { id })).exit, "126");
    await awaitRecord(qubes, { event: "refused", vm: "old", id, reason: "replay" }, before);
  };
  const first = v1Id();
  await t.step("a replay, and another body under a used token", async () => {
    assertEquals((await run(traces.script("once"), { id: first })).exit, "0");
    await again(first, traces.script("once"));
    await again(first, traces.script("never"));
  });
  await t.step("what ran when the daemon died is answered 130", async () => {
    const id = await old.submit(`${traces.script("died")}sleep 60\n`);
    await until("it runs", () => traces.seen().has("died"));
    await daemon.kill();
    daemon = await qubes.startDaemon(["old"]);
    const { exit, stderr } = await old.answer(id);
    assertEquals(exit, "130");
    assertStringIncludes(stderr, "interrupted");
    await again(id, traces.script("never"));
  });
  await t.step("a replay after the restart, and after a second one", async () => {
    await again(first, traces.script("once"));
    await daemon.stop();
    daemon = await qubes.startDaemon(["old"]);
    await again(first, traces.script("never"));
  });
  await t.step("a replay in a session that it does not end", async () => {
    const gone = await old.submit("sleep 1; echo late\n");
    await until("it is taken", () => namesIn(`${old.base}/queue/running`).includes(gone));
    await Deno.remove(`${old.base}/queue/running/${gone}`); // the original, when it waits no more
    assertEquals((await run("echo next\n")).stdout, "next\n");
    assertEquals((await old.answer(gone)).stdout, "late\n");
  });
  await t.step("its time limit is dom0's: 124, and the output until then", async () => {
    await qubes.configure(["QVM_REMOTE_MAX_TIMEOUT=1"]);
    let stderr = "";
    await until("the daemon goes by the new limit", async () => {
      const end = await run("echo before; sleep 3\n");
      stderr = end.stderr;
      return end.exit === "124" && end.stdout === "before\n";
    });
    assertMatch(stderr, /^qvm-remote-dom0: command timed out after [0-9]+s\n$/);
  });
  await t.step("each ran once; the records are clean", async () => {
    assertEquals([...traces.seen()].sort(), [["died", 1], ["once", 1]]);
    assertSmall(daemon);
    await assertCleanRecords(qubes, daemon);
  });
  assertEquals(await daemon.stop(), 0);
});

Deno.test("the client serves itself at the original's daemon", async (t) => {
  await using qubes = await install([{ name: "work" }, { name: "lonely" }]);
  for (const vm of ["work", "lonely"]) await qubes.client(vm, ["key", "gen"]);
  const { base } = await clientOf(qubes, "work");
  const keyText = (await Deno.readTextFile(`${base}/auth.key`)).trim();
  const queue = `${base}/queue`;
  const run = (...words: string[]) => qubes.client("work", ["-q", "--protocol", "1", ...words]);
  await using daemon = originalDaemon({ base, keyText, lateMs: 150 });
  await t.step("a script and its exit code", async () => {
    const { code, stdout, stderr } = await run("-c", "echo out; echo err >&2; exit 7");
    assertEquals([code, stdout, stderr], [7, "out\n", "err\n"]);
  });
  await t.step("words are quoted for the original's shell", async () => {
    const { code, stdout } = await run("printf", "[%s]", "a b", "", "$HOME", "c'd", "é\n");
    assertEquals([code, stdout], [0, "[a b][][$HOME][c'd][é\n]"]);
  });
  await t.step("a negative exit code is 128 + the signal", async () => {
    assertEquals((await run("-c", "kill -9 $$")).code, 137);
    assertEquals((await run("-c", "kill -15 $$")).code, 143);
  });
  await t.step("output without end of line, and none", async () => {
    assertEquals((await run("-c", "printf x")).stdout, "x");
    assertEquals((await run("-c", "true")).stdout, "");
  });
  await t.step("many at once", async () => {
    const numbers = [1, 2, 3, 4, 5, 6];
    const ends = await Promise.all(numbers.map((n) => run("-c", `echo ${n}`)));
    assertEquals(ends.map(({ stdout }) => Number(stdout)), numbers);
  });
  await t.step("the daemon saw whole, signed requests only, and no other files", () => {
    assert(daemon.log.length === 12, daemon.log.join("\n"));
    assertEquals(daemon.log.filter((line) => !line.startsWith("RUN ")), []);
    assertEquals([namesIn(`${queue}/pending`), namesIn(`${queue}/running`)], [[], []]);
  });
  await t.step("what it would drop without a word is refused at once", async () => {
    const { code, stderr } = await run("-c", "echo \x1b[31m");
    assertEquals(code, 1);
    assertStringIncludes(stderr, "control characters");
  });
  await t.step("no answer in time: 255 if it may run, 124 if nobody took it", async () => {
    const [taken, untaken] = await Promise.all([
      run("-t", "1", "-c", "sleep 7"),
      qubes.client("lonely", ["-q", "--protocol", "1", "-t", "1", "-c", "echo never"]),
    ]);
    assertEquals([taken.code, untaken.code], [255, 124], taken.stderr + untaken.stderr);
    for (const vm of ["work", "lonely"]) {
      const folder = `${qubes.world.vmHome(vm)}/.qvm-remote/queue/pending`;
      assertEquals(namesIn(folder), [], "left to be run later");
    }
  });
});
