// SPDX-License-Identifier: GPL-2.0-or-later
/** The web admin over a real daemon in a simulated Qubes: what a page says is what dom0 did. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { createDaemonChannel } from "../../dom0/admin/channel/daemon_channel.ts";
import {
  type Dom0Channel,
  Dom0Error,
  type RunChunk,
} from "../../dom0/admin/channel/dom0_channel.ts";
import type { PlanView } from "../../dom0/plans/plan_view.ts";
import { PORT } from "../../dom0/admin/run_admin.ts";
import { markOf } from "../../dom0/operator/policy_files.ts";
import { dom0Paths } from "../../dom0/settings/paths.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { finish, install, until } from "./installed.ts";
import { sourceLauncher } from "./program_flags.ts";
import { writeExecutable } from "../executable.ts";

const BY = "web s-1";

Deno.test("the pages' channel: operations, records, policy, lockdown, through the daemon", async (t) => {
  await using qubes = await install([{ name: "work" }, { name: "lab" }]);
  await qubes.authorize("work", "--grant", "ask");
  const daemon = await qubes.startDaemon(["work"]);
  const paths = dom0Paths(qubes.world.dom0Root);
  const channel = createDaemonChannel(paths);
  try {
    await t.step("what the daemon is doing", async () => {
      const { daemon: state, parked } = await channel.now();
      assertEquals([state?.vms.map(({ vm }) => vm), parked], [["work"], []]);
    });

    await t.step("an operation that reads, as its value", async () => {
      const { exitCode, value } = await channel.run("vm.list", {}, BY);
      assertEquals(exitCode, 0);
      assert(JSON.stringify(value).includes('"name":"work"'));
    });

    await t.step("one that changes is on record with who asked", async () => {
      const { exitCode } = await channel.run("vm.tags.add", { vm: "lab", tag: "nightly" }, BY);
      assertEquals(exitCode, 0);
      const { value } = await channel.run("vm.tags.list", { vm: "lab" }, BY);
      assert(Array.isArray(value) && value.includes("nightly"));
      const { records } = await channel.records({
        ...{ vm: null, failedOnly: false, text: "nightly", sinceMs: 0, before: null, limit: 10 },
      });
      assert(records.some(({ fields }) => fields["by"] === BY && fields["action"] === "runs"));
      const bad = await channel.run("vm.tags.add", { vm: "lab", tag: "no good" }, BY).catch((e) =>
        e
      );
      assert(bad instanceof Dom0Error, "a bad value is said, and nothing runs");
    });

    await t.step("and it is undone, with what was there before", async () => {
      const [last] = await channel.undoable();
      assertEquals([last?.operation, last?.before, last?.changedSince], [
        ...["vm.tags.add", false],
        null,
      ]);
      const { id } = await channel.undo(last?.id ?? "", BY);
      const { value } = await channel.run("vm.tags.list", { vm: "lab" }, BY);
      assert(Array.isArray(value) && !value.includes("nightly"));
      const again = await channel.undo(last?.id ?? "", BY).catch((error) => error);
      assert(again instanceof Dom0Error);
      const undoable = (await channel.undoable()).filter(({ operation }) =>
        operation === "vm.tags.remove"
      );
      assertEquals(undoable.length, 1, "and the undo can be undone");
      assert(undoable[0]?.id.includes(id));
    });

    await t.step("a script, as root", async () => {
      const { id } = await channel.beginShell("echo one; echo two >&2; exit 3", BY);
      const { head, parts, end } = await runToEnd(channel, id);
      assertEquals([head?.operation, head?.by], ["shell", BY]);
      const printed = (stream: number): string =>
        parts.filter((part) => part.stream === stream).map(({ text }) => text).join("");
      assertEquals([printed(1), printed(2), end?.exitCode], ["one\n", "two\n", 3]);
    });

    await t.step("the last runs are listed, newest first", async () => {
      const [last] = await channel.runs();
      assertEquals([last?.head.operation, last?.head.by, last?.end?.exitCode], ["shell", BY, 3]);
    });

    await t.step("a request of a VM that runs is ended, and its VM hears of it", async () => {
      const asked = qubes.client("work", ["sleep", "600"]);
      const isOpen = async (parked: number): Promise<boolean> => {
        const { daemon: state } = await channel.now();
        const [vm] = state?.vms ?? [];
        return vm?.open.length === 1 && vm.parked.length === parked;
      };
      await until("it waits", () => isOpen(1));
      const { parked: [open] } = await channel.now();
      assert(open !== undefined);
      await channel.approve(open, open.hash, null, BY);
      await until("it runs", () => isOpen(0));
      await channel.cancelRequest(open, BY);
      assertMatch((await asked).stderr, /cancelled/);
      const again = await channel.cancelRequest(open, BY).catch((error) => error);
      assert(again instanceof Dom0Error && /has ended already/.test(again.message));
    });

    await t.step("what lies in a VM's queue is listed", async () => {
      const folder = `${qubes.world.vmHome("work")}/.qvm-remote/queue/pending`;
      await Deno.writeTextFile(`${folder}/odd name`, "x");
      const items = await channel.queueEntries("work");
      assert(items.some(({ folder, name }) => folder === "pending" && name === "odd name"));
      assertEquals((await channel.queue("work", "clean", BY)).removed, 1);
    });

    await t.step("remote.conf is checked, changed, taken up, and taken back", async () => {
      const { text, mark, problems } = await channel.config();
      assertEquals([problems, text.includes("QVM_REMOTE_VMS")], [[], true]);
      assertEquals((await channel.checkConfig("QVM_REMOTE_NOTIFY=maybe\n")).length, 1);
      const vms = text.replace(/^QVM_REMOTE_VMS=.*$/m, 'QVM_REMOTE_VMS="work lab"');
      await channel.changeConfig(vms, mark, BY);
      const served = (wanted: boolean) =>
        until("the daemon has taken it up", async () => {
          const { daemon: state } = await channel.now();
          return state?.problems.some((one) => one.startsWith("lab: not authorised")) === wanted;
        });
      await served(true);
      const [change] = (await channel.config()).changes;
      assertEquals([change?.by, change?.before], [BY, text]);
      await channel.undoConfig(change?.id ?? "", BY);
      await served(false);
      assertEquals((await channel.config()).text, text);
    });

    await t.step("what it prints is there while it runs, and it can be cancelled", async () => {
      const { id } = await channel.beginShell("echo hé; exec sleep 600", BY);
      const printed = Promise.withResolvers<void>();
      const look = async (): Promise<void> => {
        const chunk = await channel.readRun(id, 0);
        if (chunk?.parts.some(({ text }) => text.includes("hé"))) printed.resolve();
        assertEquals(chunk?.end, null, "it runs");
      };
      const unfollow = channel.followRun(id, () => void look().catch(printed.reject));
      await printed.promise;
      unfollow();
      await channel.cancel(id, BY);
      assertEquals((await runToEnd(channel, id)).end?.kind, "cancelled");
      const again = await channel.cancel(id, BY).catch((error) => error);
      assert(again instanceof Dom0Error);
    });

    await t.step("an operation's value comes with its end", async () => {
      const { id } = await channel.begin("vm.names", {}, BY);
      const { end } = await runToEnd(channel, id);
      assert(Array.isArray(end?.value) && end.value.includes("lab"));
      const { lines } = await channel.preview("vm.tags.add", { vm: "lab", tag: "soon" });
      assertEquals(lines.filter(({ kind }) => kind === "added").map(({ text }) => text), [
        "tag soon of lab: yes",
      ]);
    });

    await t.step("staged changes are one plan: done, undone, or taken back", async () => {
      const tag = (name: string, before: string) => ({
        ...{ operation: "vm.tags.add", values: { vm: "lab", tag: name }, before },
      });
      const { id } = await channel.beginPlan([tag("one", "absent"), tag("two", "absent")], BY);
      const plan = { vm: "dom0", id };
      const done = await planToEnd(channel, id);
      assertEquals(done.steps.map(({ state }) => state), ["done", "done"]);
      assertEquals([done.state, done.by, done.steps[0]?.after], ["done", BY, { value: true }]);
      assertEquals((await channel.undoState(plan)).map(({ isUndone }) => isUndone), [false, false]);
      await channel.undoPlan(plan, BY);
      assertEquals((await channel.undoState(plan)).map(({ isUndone }) => isUndone), [true, true]);

      const other = await channel.beginPlan([tag("one", "absent"), tag("two", "present")], BY);
      const failed = await planToEnd(channel, other.id);
      assertEquals(failed.state, "failed");
      assertEquals(failed.steps.map(({ state }) => state), ["undone", "refused"]);
      assertMatch(failed.steps[1]?.said ?? "", /changed meanwhile: it is absent, and was present/);
      const { value } = await channel.run("vm.tags.list", { vm: "lab" }, BY);
      assert(Array.isArray(value) && !value.includes("one"));
      const bad = await channel.beginPlan([tag("no good", "absent")], BY).catch((error) => error);
      assert(bad instanceof Dom0Error);
    });

    await t.step("a request that waits is shown, approved, and its client goes on", async () => {
      const changes = Promise.withResolvers<void>();
      const unwatch = channel.watch(() => changes.resolve());
      const client = finish(
        qubes.spawnClient("work", ["qvm-tags", "lab", "add", "asked"]),
      );
      await changes.promise;
      unwatch();
      await until("it waits", async () => (await channel.now()).parked.length === 1);
      const [request] = (await channel.now()).parked;
      assert(request !== undefined);
      assertEquals([request.vm, request.operation, request.targets, request.canBeUndone], [
        ...["work", "vm.tags.add"],
        ["lab"],
        true,
      ]);
      assert(request.preview?.lines.some(({ kind }) => kind === "added"));
      const stale = await channel.approve(request, "0".repeat(64), null, BY).catch((error) =>
        error
      );
      assert(stale instanceof Dom0Error);
      await channel.approve(request, request.hash, null, BY);
      assertEquals((await client).code, 0);
      assertEquals((await channel.now()).parked, []);
    });

    await t.step("and one that is denied hears why", async () => {
      const client = finish(
        qubes.spawnClient("work", ["qvm-tags", "lab", "add", "never"]),
      );
      await until("it waits", async () => (await channel.now()).parked.length === 1);
      const [request] = (await channel.now()).parked;
      assert(request !== undefined);
      await channel.deny(request, request.hash, "not today", BY);
      const { code, stderr } = await client;
      assertEquals(code, 126);
      assertMatch(stderr, /not today/);
    });

    await t.step("the policy: who may do what, a check, a save, why", async () => {
      const policy = await channel.policy();
      assertEquals(policy.who.map(({ vm }) => vm), ["work"]);
      assertEquals(policy.who[0]?.answers.monitor[0]?.action, "allow");
      const [file] = policy.files;
      assert(file !== undefined);
      assertMatch((await channel.checkPolicy(file.name, "vm.* work * alow\n")).error ?? "", /alow/);
      const seen = file.mark;
      const wanted = { file: file.name, text: `${file.text}shell work - deny\n`, seen };
      for (const bad of [{ ...wanted, text: "vm.* work * alow\n" }, { ...wanted, seen: null }]) {
        const refused = await channel.changePolicy(bad, BY).catch((e) => e);
        assert(refused instanceof Dom0Error);
      }
      await channel.changePolicy(wanted, BY);
      await counts(channel, "shell work - deny", true);
      const { operation, action } = await channel.explain("work", ["qvm-kill lab"], null);
      assertEquals([operation, action], ["vm.kill", "ask"]);
    });

    await t.step(
      "a new file of rules: named, tried, saved, removed with its effect, undone",
      async () => {
        const file = "40-work.policy";
        const text = "vm.kill work * allow\n";
        const trial = await channel.checkPolicy(file, text);
        assertEquals(
          [trial.error, trial.effects.map(({ vm, column }) => `${vm} ${column}`)],
          [null, ["work manage"]],
        );
        const kill = async (draft: { file: string; text: string } | null) =>
          (await channel.explain("work", ["qvm-kill lab"], draft)).action;
        assertEquals([await kill({ file, text }), await kill(null)], ["allow", "ask"]);
        assertMatch((await channel.checkPolicy("no-number", text)).error ?? "", /40-agent\.policy/);
        await channel.changePolicy({ file, text, seen: null }, BY);
        await counts(channel, "vm.kill work * allow", true);
        const without = await channel.checkPolicy(file, null);
        assertEquals(without.effects[0]?.before[0]?.action, "allow");
        assertEquals(without.effects[0]?.after[0]?.action, "ask");
        await channel.changePolicy({ file, text: null, seen: markOf(text) }, BY);
        await counts(channel, "vm.kill work * allow", false);
        const [removed, made] = await channel.policyChanges();
        assertEquals([removed?.after, made?.before, made?.by], [null, null, BY]);
        await channel.undoPolicy(removed?.id ?? "", BY);
        await counts(channel, "vm.kill work * allow", true);
        assertEquals(await Deno.readTextFile(`${paths.policyFolder}/${file}`), text);
        const again = await channel.undoPolicy(removed?.id ?? "", BY).catch((e) => e);
        assert(again instanceof Dom0Error && /undone already/.test(again.message));
        await Deno.writeTextFile(`${paths.policyFolder}/${file}`, "# by hand\n");
        const stale = await channel.undoPolicy(made?.id ?? "", BY).catch((e) => e);
        assert(stale instanceof Dom0Error && /changed meanwhile/.test(stale.message));
        assertEquals(await Deno.readTextFile(`${paths.policyFolder}/${file}`), "# by hand\n");
        await Deno.remove(`${paths.policyFolder}/${file}`);
        const { records } = await channel.records({
          ...{ vm: null, failedOnly: false, text: file, sinceMs: 0, before: null, limit: 9 },
        });
        assertEquals(
          records.map(({ fields }) => [fields["action"], fields["undoes"] ?? null]),
          [["policy-saved", removed?.id], ["policy-removed", null], ["policy-saved", null]],
        );
      },
    );

    await t.step("the configuration is archived, looked at, and taken back in", async () => {
      const { name } = await channel.makeArchive(false, BY);
      const file = `${paths.policyFolder}/50-work.policy`;
      const text = await Deno.readTextFile(file);
      await Deno.writeTextFile(file, "* work * deny\n");
      const { items, mark } = await channel.lookAtArchive(name, false);
      assertEquals(items.map(({ name, before }) => [name, before]), [
        ["50-work.policy", "* work * deny\n"],
      ]);
      const { before } = await channel.takeInArchive(name, false, mark, BY);
      assertEquals(await Deno.readTextFile(file), text);
      const { archives } = await channel.archives();
      assertEquals(archives.map((one) => one.name).toSorted(), [name, before].toSorted());
      assertMatch(await Deno.readTextFile(`${paths.archivesFolder}/${name}`), /"name": "lab"/);
      const nothing = await channel.takeInArchive(name, false, mark, BY).catch((e) => e);
      assert(nothing instanceof Dom0Error);
      await channel.removeArchive(before, BY);
      assertEquals((await channel.archives()).archives.map((one) => one.name), [name]);
    });

    await t.step("a folder of dom0 is listed, and a file in it has its checksum", async () => {
      const folder = `${await Deno.realPath(qubes.world.folder)}/of dom0`;
      await Deno.mkdir(folder);
      await Deno.writeTextFile(`${folder}/a file`, "twelve bytes");
      const { value } = await channel.run("file.list", { path: folder }, BY);
      assertMatch(JSON.stringify(value), /"type":"f","size":12,.*"name":"a file"/);
      const stat = await channel.begin("file.stat", { path: `${folder}/a file`, hash: "true" }, BY);
      const { parts } = await runToEnd(channel, stat.id);
      const sha256 = sha256Hex("twelve bytes");
      assert(parts.map(({ text }) => text).join("").includes(sha256));
      const made = await channel.run("file.mkdir", { path: `${folder}/new` }, BY);
      assertEquals([made.exitCode, (await Deno.stat(`${folder}/new`)).isDirectory], [0, true]);
    });

    await t.step(
      "a file goes into a qube, from there into another, and back into dom0",
      async () => {
        const world = await Deno.realPath(qubes.world.folder);
        const home = (vm: string): string => `${world}/vms/${vm}/home/user`;
        const text = "a file\n".repeat(1_000_000);
        await Deno.writeTextFile(`${world}/of dom0/it's "one"`, text);
        const run = async (operation: string, values: Record<string, string>): Promise<string> => {
          const { parts, end } = await runToEnd(
            channel,
            (await channel.begin(operation, values, BY)).id,
          );
          return end?.exitCode === 0
            ? JSON.stringify(end.value)
            : parts.map(({ text }) => text).join("");
        };
        const sent = await run("file.send", { vm: "work", path: `${world}/of dom0/it's "one"` });
        assertMatch(sent, /"compared":"equal"/);
        const there = `${home("work")}/QubesIncoming/dom0/it's "one"`;
        assertEquals(await Deno.readTextFile(there), text);
        const { value } = await channel.run("file.browse", {
          ...{ vm: "work", folder: "~/QubesIncoming/dom0" },
        }, BY);
        assertMatch(JSON.stringify(value), /"type":"f","size":7000000,.*it's \\"one\\"/);
        const copied = await run("file.copy", { vm: "work", from: there, to_vm: "lab" });
        assertMatch(copied, /"in":"lab"/);
        const fetch = {
          ...{ vm: "lab", from: `${home("lab")}/QubesIncoming/work/it's "one"` },
          path: `${world}/of dom0/QubesIncoming/lab/back`,
        };
        const sum = `"sha256_of_copy":"${sha256Hex(text)}"`;
        assert((await run("file.fetch", fetch)).includes(sum));
        assertEquals(await Deno.readTextFile(fetch.path), text);
        assertMatch(await run("file.fetch", fetch), /there is something of that name in dom0/);
        const { records } = await channel.records({
          ...{
            vm: null,
            failedOnly: false,
            text: "file.fetch",
            sinceMs: 0,
            before: null,
            limit: 9,
          },
        });
        assertMatch(JSON.stringify(records), /"targets":\["lab","[^"]*of dom0\/QubesIncoming/);
      },
    );

    await t.step("a device goes to a qube, and comes back by an undo", async () => {
      const device = { device_class: "block", vm: "work", device: "dom0:sdb" };
      const attached = await channel.run("device.attach", { ...device, ro: "true" }, BY);
      assertEquals([attached.exitCode, attached.stderr], [0, ""]);
      const list = async () =>
        JSON.stringify((await channel.run("device.list", device_class, BY)).value);
      const device_class = { device_class: "block" };
      assertMatch(await list(), /"used_by":"work \(attached\)"/);
      const [last] = await channel.undoable();
      assertEquals(last?.operation, "device.attach");
      await channel.undo(last?.id ?? "", BY);
      assertMatch(await list(), /"used_by":null/);
    });

    await t.step("which rule of qrexec's policy would decide a call", async () => {
      const file = `${qubes.world.dom0Root}/etc/qubes/policy.d/20-test.policy`;
      await Deno.writeTextFile(
        file,
        "# tags\ntest.Call +7 @tag:ai-test @default allow target=lab\ntest.Call * * @adminvm deny\n",
      );
      await channel.run("vm.tags.add", { vm: "work", tag: "ai-test" }, BY);
      const call = { source: "work", target: "@default", service: "test.Call+7" };
      const at = "/etc/qubes/policy.d/20-test.policy";
      const allowed = await channel.explainCall(call);
      assertEquals([allowed.verdict, allowed.targets, allowed.at], ["allow", ["lab"], `${at}:2`]);
      const denied = await channel.explainCall({ ...call, target: "@adminvm" });
      assertEquals([denied.verdict, denied.at], ["deny", `${at}:3`]);
      const none = await channel.explainCall({ ...call, source: "lab" });
      assertEquals([none.verdict, none.at], ["deny", null]);
      await Deno.writeTextFile(file, "test.Call +7 nonsense\n");
      assertMatch(
        (await channel.explainCall(call)).why,
        /20-test\.policy:1: wrong number of fields/,
      );
      await Deno.remove(file);
      const odd = await channel.explainCall({ ...call, source: "@tag:x" }).catch((e) => e);
      assert(odd instanceof Dom0Error && /cannot be judged/.test(odd.message));
    });

    await t.step("the chain is whole; lockdown and unlock", async () => {
      assert((await channel.verifyChain()).isWhole);
      const { id } = await channel.beginShell("exec sleep 600", BY);
      await channel.lockdown(BY);
      assertEquals(
        (await runToEnd(channel, id)).end?.kind,
        "locked-down",
        "the operator's own too",
      );
      assertEquals((await channel.now()).daemon?.lockdown, true);
      const refused = await Promise.all([
        channel.run("vm.tags.add", { vm: "lab", tag: "locked" }, BY).catch((error) => error),
        channel.beginShell("echo locked", BY).catch((error) => error),
      ]);
      for (const error of refused) {
        assert(error instanceof Dom0Error && /locked down/.test(error.message), String(error));
      }
      assertEquals((await channel.run("vm.list", {}, BY)).exitCode, 0, "reading goes on");
      await channel.unlock(BY);
      await until("it is lifted", async () => (await channel.now()).daemon?.lockdown === false);
    });

    await t.step("a key is revoked", async () => {
      await channel.revoke("work", BY);
      assertEquals((await channel.now()).daemon?.vms, []);
    });

    await t.step("a VM is let in with the key that was compared, and with no other", async () => {
      const right = { grant: "ask", scope: "@tag:ai", acceptsV1: false } as const;
      const fingerprint = await channel.fingerprintOf("work");
      const other = await channel.authorize("work", { fingerprint: "0000" }, right, BY).catch((e) =>
        e
      );
      assert(other instanceof Dom0Error && /not the one that was compared/.test(other.message));
      const noScope = { ...right, scope: "@tag:a b" };
      const bad = await channel.authorize("work", { fingerprint }, noScope, BY).catch((e) => e);
      assert(bad instanceof Dom0Error, "a bad scope is said, and nothing is stored");
      assertEquals((await channel.keys()).keys, []);

      const done = await channel.authorize("work", { fingerprint }, right, BY);
      assertEquals(done, { fingerprint, inForce: true });
      const rules = await Deno.readTextFile(`${paths.policyFolder}/50-work.policy`);
      assertMatch(rules, /@monitor\s+work\s+@tag:ai\s+allow/);
      assertEquals((await channel.keys()).keys, [{ vm: "work", fingerprint, acceptsV1: false }]);
      const { records } = await channel.records({
        ...{ vm: "work", failedOnly: false, text: "authorize", sinceMs: 0, before: null, limit: 1 },
      });
      assertEquals(records[0]?.fields["by"], BY);
      assertEquals((await channel.queue("work", "status", BY)).removed, 0);
    });
  } finally {
    await daemon.stop();
    const gone = await channel.verifyChain().catch((error) => error);
    assert(gone instanceof Dom0Error, "without a daemon nothing is done, and it says so");
    channel.close();
  }
});

async function runToEnd(channel: Dom0Channel, id: string): Promise<RunChunk> {
  const ended = Promise.withResolvers<RunChunk>();
  const check = async (): Promise<void> => {
    const chunk = await channel.readRun(id, 0);
    if (chunk !== null && chunk.end !== null) ended.resolve(chunk);
  };
  const unfollow = channel.followRun(id, () => void check().catch(ended.reject));
  await check();
  return await ended.promise.finally(unfollow);
}

async function planToEnd(channel: Dom0Channel, id: string): Promise<PlanView> {
  const ended = Promise.withResolvers<PlanView>();
  const check = async (): Promise<void> => {
    const plan = (await channel.plans()).find((one) => one.id === id);
    if (plan !== undefined && plan.state !== "running") ended.resolve(plan);
  };
  const unwatch = channel.watch(() => void check().catch(ended.reject));
  await check();
  return await ended.promise.finally(unwatch);
}

/** Whether a rule is in force; the daemon sees a change by itself. */
async function counts(channel: Dom0Channel, rule: string, isThere: boolean): Promise<void> {
  await until(
    isThere ? "it counts" : "it no longer counts",
    async () => (await channel.policy()).rules.some(({ text }) => text === rule) === isThere,
  );
}

Deno.test("the program itself, with no permission but its own: a login, a page, a clean end", async () => {
  await using qubes = await install([{ name: "work" }]);
  const { dom0Bin } = qubes.world;
  const path = `${dom0Bin}/qubes-global-admin-web`;
  const text = sourceLauncher("qubes-global-admin-web", "dom0/qubes-global-admin-web.ts");
  writeExecutable(path, text);
  const start = (...args: string[]): Deno.ChildProcess =>
    new Deno.Command(path, {
      ...{ args, clearEnv: true, env: qubes.world.dom0Env() },
      ...{ stdin: "null", stdout: "piped", stderr: "piped" },
    }).spawn();
  const server = start();
  const page = (headers: HeadersInit = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${PORT}/`, {
      headers: { "sec-fetch-site": "same-origin", "sec-fetch-dest": "document", ...headers },
    });
  await until("it answers", () =>
    page().then(async (answer) => {
      await answer.body?.cancel();
      return answer.status === 401;
    }, () => false));
  const { stdout } = await start("ticket").output();
  const login = await fetch(`http://127.0.0.1:${PORT}/login`, {
    method: "POST",
    headers: { "sec-fetch-site": "same-origin" },
    body: new URLSearchParams({ ticket: new TextDecoder().decode(stdout).trim() }),
  });
  assertEquals(login.status, 204);
  const cookie = login.headers.get("set-cookie")?.split(";")[0] ?? "";
  const answer = await page({ cookie });
  assertEquals(answer.status, 200);
  assertMatch(await answer.text(), /Daemon not running/);
  const second = await start().output();
  assertEquals(second.code, 1);
  assertMatch(new TextDecoder().decode(second.stderr), /port 9876 of 127.0.0.1 is taken/);
  server.kill("SIGTERM");
  const { code, stderr } = await server.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
});
