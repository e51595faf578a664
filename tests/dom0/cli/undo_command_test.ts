// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { history } from "../../../dom0/cli/commands/history.ts";
import { undo } from "../../../dom0/cli/commands/undo.ts";
import type { Operator } from "../../../dom0/cli/operator.ts";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import { changeConfig } from "../../../dom0/operator/config_file.ts";
import { changePolicyFile, markOf } from "../../../dom0/operator/policy_files.ts";
import { openAudit } from "../../../dom0/record/audit_log.ts";
import { dom0Paths, type Paths } from "../../../dom0/settings/paths.ts";
import { keepForUndo } from "../../../dom0/undo/keep_for_undo.ts";
import { createUndoStore } from "../../../dom0/undo/undo_store.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { createQubeModel, type QubeModel } from "../undo/qube_model.ts";
import { requestId, withFolder } from "../fixture.ts";

const ID = requestId(1);
const SET = "vm.prefs.set vm=work property=memory value=4096";

interface Scene {
  readonly paths: Paths;
  readonly model: QubeModel;
  /** A VM does this, and it is on record. */
  did(call: string, n?: number, vm?: string): Promise<void>;
  undo(words: readonly string[], answer?: string | null): Promise<string>;
  history(...words: readonly string[]): Promise<string>;
  actions(): readonly string[];
}

async function withScene(test: (scene: Scene) => Promise<void>): Promise<void> {
  await withFolder(async (root) => {
    const paths = dom0Paths(root);
    const model = createQubeModel(["work"]);
    const store = createUndoStore({ folder: paths.undoFolder, dateMs: Date.now });
    await Deno.mkdir(`${root}/etc/qubes`, { recursive: true });
    const withOperator = async (
      answer: string | null,
      run: (operator: Operator) => Promise<number>,
    ): Promise<string> => {
      let printed = "";
      const code = await run({
        ...{ paths, needsRoot: false, environment: new Map(), isTerminal: true, invokedBy: "ann" },
        print: (text) => void (printed += text),
        warn: (text) => void (printed += text),
        ask(question) {
          printed += question;
          return answer;
        },
        askSecret: () => Promise.reject(new Error("no secret is asked for")),
      }).catch((error) => {
        if (!(error instanceof UserError)) throw error;
        throw new UserError(`${printed}${error.message}`, error.hints);
      });
      assertEquals(code, 0);
      return printed;
    };
    await test({
      ...{ paths, model },
      async did(call, n = 1, vm = "agent") {
        const [name = "", ...pairs] = call.split(" ");
        const recognised = recogniseNamed(name, pairs);
        const id = requestId(n);
        const { read } = model.tools;
        const kept = keepForUndo(recognised, { vm, id, step: null }, {
          store,
          read,
          dateMs: Date.now,
        });
        const audit = openAudit({ ...paths, dateMs: Date.now });
        audit.record("accepted", { vm, id, operation: name, targets: ["work"], command: "x" });
        await kept?.begin();
        for (const argv of recognised.argvs) await model.tools.run(argv, 0);
        await kept?.end(0);
        audit.record("done", { vm, id, exit: 0 });
        audit.close();
      },
      undo: (words, answer = "yes") =>
        withOperator(answer, (operator) => undo(operator, words, (_, use) => use(model.tools))),
      history: (...words) => withOperator(null, (operator) => history(operator, words)),
      actions: () =>
        Deno.readTextFileSync(paths.auditFile).trimEnd().split("\n").map((line) => JSON.parse(line))
          .filter(({ event }) => event === "operator").map(({ action, of }) => `${action} ${of}`),
    });
  });
}

Deno.test("undo: shows before, after and now, asks, runs it, is on record, can be undone", () =>
  withScene(async ({ did, undo, model, actions }) => {
    await did(SET);
    const said = await undo([ID]);
    assertMatch(
      said,
      new RegExp(
        `^agent did ${SET} at 20[-0-9T:.]+Z
  before it:  {"value":"400","isDefault":false}
  after it:   {"value":"4096","isDefault":false}
  now:        {"value":"4096","isDefault":false} \\(not changed since\\)
  way back:   qvm-prefs work memory 400
Type "yes" to undo this: running: qvm-prefs work memory 400
Undone. To take that back: qvm-remote-dom0 undo [-0-9a-f]+ --vm dom0\n$`,
      ),
    );
    assertEquals(model.qubes.get("work")?.memory, "400");
    assertEquals(actions(), [`undo ${ID}`, `undone ${ID}`]);
    await assertRejects(() => undo([ID]), UserError, "is undone already");

    const own = /undo ([-0-9a-f]+) --vm dom0/.exec(said)?.[1] ?? "";
    assertStringIncludes(await undo([own, "--vm", "dom0", "--yes"]), "Undone.");
    assertEquals(model.qubes.get("work")?.memory, "4096");
  }));

Deno.test("undo: a change of a file of policy is in the same list, and is taken back as the rest", () =>
  withScene(async ({ did, undo, history, paths }) => {
    await did(SET);
    const acting = { paths, invokedBy: "web s-1" };
    const [file, config] = ["40-work.policy", 'QVM_REMOTE_VMS="work"\n'];
    await Deno.mkdir(paths.keyFolder, { recursive: true });
    const save = (text: string, seen: string | null): Promise<void> =>
      changePolicyFile(acting, { file, text, seen });
    await save("* work * deny\n", null);
    await changeConfig(acting, config, markOf(""));
    const undoable = (await history("--undoable", "--json")).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    assertEquals(undoable.map(({ operation, kept }) => [operation, kept[0]]), [
      ["vm.prefs.set", SET],
      ["policy", "40-work.policy was made by web s-1"],
      ["config", "remote.conf was changed by web s-1"],
    ]);
    const [, ofPolicy, ofConfig] = undoable.map(({ id }) => String(id));
    await assertRejects(() => undo([ofPolicy ?? ""], "no"), UserError, "nothing is undone");
    const said = await undo([ofConfig ?? "", "--vm", "dom0"]);
    assertStringIncludes(said, 'remote.conf was changed by "web s-1". The undo changes:');
    assertStringIncludes(said, '  - QVM_REMOTE_VMS="work"\n');
    assertEquals(await Deno.readTextFile(paths.config), "");
    await assertRejects(() => undo([ofConfig ?? "", "--yes"]), UserError, "is undone already");
    await save("* work * ask\n", markOf("* work * deny\n"));
    await assertRejects(() => undo([ofPolicy ?? "", "--yes"]), UserError, "was changed meanwhile");
    assertEquals((await history("--undoable")).includes(ofPolicy ?? ""), false);
    await Deno.writeTextFile(paths.lockdownFile, "");
    await assertRejects(() => undo([ofPolicy ?? "", "--yes"]), UserError, "locked down");
  }));

Deno.test("undo: what somebody changed since is pointed out", () =>
  withScene(async ({ did, undo, model }) => {
    await did(SET);
    Object.assign(model.qubes.get("work") ?? {}, { memory: "1000" });
    const said = await undo([ID]).catch(String);
    assertStringIncludes(said, '"value":"1000","isDefault":false} (CHANGED SINCE)');
    assertEquals(model.qubes.get("work")?.memory, "400");
  }));

Deno.test("undo: without the word yes nothing is run, nor in a lockdown", () =>
  withScene(async ({ did, undo, model, paths, actions }) => {
    await did(SET);
    for (const answer of ["", "y", "no", null]) {
      await assertRejects(() => undo([ID], answer), UserError, "nothing is undone");
    }
    await Deno.writeTextFile(paths.lockdownFile, "");
    const error = await assertRejects(() => undo([ID, "--yes"]), UserError, "locked down");
    assertStringIncludes(error.hints.join(), "unlock");
    assertEquals([model.ran.length, actions()], [1, []]);
  }));

Deno.test("undo: one that fails is said to have failed, is on record, and asks the next time", () =>
  withScene(async ({ did, undo, model, actions, history }) => {
    await did(SET);
    model.onRun = () => "qvm-prefs: error: out of memory";
    const error = await assertRejects(() => undo([ID]), UserError);
    assertMatch(
      error.message,
      /stopped at vm.prefs.set: exit code 1: qvm-prefs: error: out of memory/,
    );
    assertEquals(actions(), [`undo ${ID}`, `undo-failed ${ID}`]);
    assertMatch(await history(), /PARTLY UNDONE/);
    model.onRun = () => null;
    await assertRejects(() => undo([ID, "--yes"]), UserError, "may be half done");
    assertMatch(await undo([ID]), /An undo did 0 steps of the way back[^]*Undone\./);
  }));

Deno.test("undo: which request it is must be clear, and what cannot be undone says why", () =>
  withScene(async ({ did, undo, model }) => {
    await assertRejects(() => undo([ID]), UserError, "nothing was kept that could undo");
    await assertRejects(() => undo(["../../etc/passwd"]), UserError, 'undo "../../etc/passwd"');
    await did(SET, 1, "agent");
    await did("vm.tags.add vm=work tag=ai", 1, "other");
    await assertRejects(() => undo([ID]), UserError, "requests of agent and other have this id");
    assertStringIncludes(await undo([ID, "--vm", "other"]), "qvm-tags work del ai");
    await did("vm.prefs.set vm=gone property=memory value=1", 2).catch(() => {});
    await assertRejects(
      () => undo([requestId(2)]),
      UserError,
      "what was there before it ran could not be read",
    );
    assertEquals(model.qubes.get("work")?.tags, []);
  }));

Deno.test("history: requests with operation, decision and end, and whether they can be undone", () =>
  withScene(async ({ did, undo, history, paths }) => {
    assertEquals(await history(), "Nothing is on record.\n");
    await did(SET, 1);
    await did("vm.remove vm=work", 2);
    await did("vm.create vm=new label=red", 3, "other");
    const audit = openAudit({ ...paths, dateMs: Date.now });
    audit.record("refused", { vm: "agent", id: requestId(4), reason: "bad-mac" });
    audit.close();
    await undo([requestId(3)]);
    const lines = (await history()).trimEnd().split("\n").map((line) => line.split(" ").slice(1));
    assertEquals(lines.slice(0, 4).map((words) => words.join(" ")), [
      `agent ${requestId(1)} allowed, done: ${SET}  can be undone`,
      `agent ${requestId(2)} allowed, done: vm.remove work`,
      `other ${requestId(3)} allowed, done: vm.create vm=new label=red  undone`,
      `agent ${requestId(4)} refused, bad-mac: (not read)`,
    ]);
    assertEquals((await history("--undoable")).split("\n").length, 2);
    assertEquals(await history("--vm", "other", "--undoable"), "Nothing is on record.\n");
    const [json = ""] = (await history("--json", "-n", "4")).split("\n");
    const { time: _time, ...entry } = JSON.parse(json);
    assertEquals(entry, {
      ...{ vm: "agent", id: requestId(1), operation: "vm.prefs.set", targets: ["work"] },
      ...{ decision: "allowed", end: "done", undo: "yes", kept: [SET] },
    });
  }));
