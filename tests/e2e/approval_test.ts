// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A person decides: what waits is seen, shown, approved, refused, and ends in one way. The programs
 * are the real ones, over the simulated Qubes.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ParkedView } from "../../dom0/approval/parked_view.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import { install, type Installed, readAudit, until } from "./installed.ts";
import { openQueue, type PublishOptions, type VmQueue } from "./vm_queue.ts";

const VMS = [{ name: "agent" }, { name: "work" }];

interface Scene {
  readonly qubes: Installed;
  readonly queue: VmQueue;
  /** An operation with its values, as the client sends it. */
  op(words: readonly string[], options?: PublishOptions): Promise<RequestId>;
  /** "pending --json", when the request is in it. */
  parked(id: RequestId): Promise<ParkedView>;
  good(...words: string[]): Promise<string>;
  bad(...words: string[]): Promise<string>;
  answer(id: RequestId): Promise<{ end: string; stdout: string; stderr: string }>;
}

async function openScene(qubes: Installed): Promise<Scene> {
  const queue = await openQueue(qubes.world, "agent");
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const pending = async (): Promise<readonly ParkedView[]> =>
    JSON.parse((await qubes.dom0(["pending", "--json"])).stdout);
  return {
    qubes,
    queue,
    op: (words, options = {}) =>
      queue.publish(utf8(words.map((word) => `${word}\0`).join("")), { ...options, mode: "op" }),
    async parked(id) {
      let found: ParkedView | undefined;
      await until(`${id} waits`, async () => {
        found = (await pending()).find((view) => view.id === id);
        return found !== undefined;
      });
      if (found === undefined) throw new Error("it does not wait");
      return found;
    },
    async good(...words) {
      const { code, stdout, stderr } = await qubes.dom0(words);
      assertEquals([code, stderr], [0, ""], words.join(" "));
      return stdout;
    },
    async bad(...words) {
      const { code, stderr } = await qubes.dom0(words);
      assertEquals(code, 1, words.join(" "));
      return stderr;
    },
    async answer(id) {
      const { outcome, stdout, stderr } = await queue.answer(id);
      const end = outcome.reason ?? `${outcome.kind} ${outcome.exitCode}`;
      return { end, stdout: text(stdout), stderr: text(stderr) };
    },
  };
}

/** A tool of dom0, as its administrator runs it. */
async function tool({ world }: Installed, name: string, ...args: string[]): Promise<string> {
  const { code, stdout } = await new Deno.Command(`${world.dom0Bin}/${name}`, {
    args,
    clearEnv: true,
    env: world.dom0Env(),
  }).output();
  assertEquals(code, 0, name);
  return new TextDecoder().decode(stdout).trim();
}

const SET_800 = ["vm.prefs.set", "vm=work", "property=memory", "value=800"];

Deno.test("a person decides", async (t) => {
  await using qubes = await install(VMS);
  await qubes.authorize("agent", "--grant", "ask");
  const daemon = await qubes.startDaemon(["agent"]);
  const scene = await openScene(qubes);
  const { op, parked, good, bad, answer, queue } = scene;
  await tool(qubes, "qvm-prefs", "work", "memory", "400");
  assertEquals(await good("pending"), "Nothing waits for an answer.\n");

  await t.step(
    "what waits is shown with the old value and the new, and runs when approved",
    async () => {
      const id = await op(SET_800, { why: "the build needs \u{202e}it" });
      const { number, hash } = await parked(id);
      assertMatch(
        await good("pending"),
        new RegExp(`^NUMBER .*\\n${number} +agent +vm\\.prefs\\.set`),
      );
      const shown = await good("show", `${number}`);
      assertStringIncludes(shown, "memory of work: 400 -> 800\n");
      assertStringIncludes(shown, "qvm-prefs work memory 800\n");
      assertStringIncludes(shown, "reason    the build needs \\u{202e}it   (says agent)");
      assertEquals(await good("show", id.slice(0, -2)), shown, "a part of the id will do");
      const said = await qubes.dom0(["approve", `${number}`], "no\n");
      assertEquals(said.code, 1);
      assertStringIncludes(said.stdout, "memory of work: 400 -> 800\n");
      assertEquals((await qubes.dom0(["approve", `${number}`], "yes\n")).code, 0);
      assertEquals((await answer(id)).end, "done 0");
      assertEquals(await tool(qubes, "qvm-prefs", "work", "memory"), "800");
      const records = readAudit(qubes.world).filter((record) => record.id === id);
      assertEquals(records.map(({ event }) => event), ["parked", "approved", "done"]);
      assert(typeof records[1]?.["approver"] === "string");
      assertEquals(records[1]?.["shown_sha256"], hash);
      assertMatch(String(records[1]?.["rule"]), /^50-agent\.policy:\d+$/);
      assertStringIncludes(await bad("approve", "--yes", `${number}`), "no request");
    },
  );
  await t.step("what has changed since it was shown is shown again", async () => {
    const id = await op(["vm.prefs.set", "vm=work", "property=memory", "value=900"]);
    const { number, hash } = await parked(id);
    await tool(qubes, "qvm-prefs", "work", "memory", "500");
    assertStringIncludes(await bad("approve", "--yes", `${number}`), "look at it again");
    assertStringIncludes(await good("show", `${number}`), "memory of work: 500 -> 900\n");
    assertStringIncludes(await bad("approve", "--yes", "--hash", hash, `${number}`), "look at it");
    assertEquals(await good("deny", `${number}`, "--reason", "too much"), "denied\n");
    const { end, stderr } = await answer(id);
    assertEquals([end, stderr], ["not-approved", "qvm-remote-dom0: too much\n"]);
    assertEquals(await tool(qubes, "qvm-prefs", "work", "memory"), "500");
  });
  await t.step("a script is shown whole; its VM takes it back", async () => {
    const id = await queue.publish("echo one\n\u{200b}rm -rf /tmp/none # \x1b[2J\n");
    const { number } = await parked(id);
    const shown = await good("show", `${number}`);
    assertStringIncludes(shown, "   1 | echo one\n   2 | \\u{200b}rm -rf /tmp/none # \\u{1b}[2J\n");
    queue.cancel(id);
    assertEquals((await answer(id)).end, "cancelled 130");
    assertStringIncludes(await bad("approve", "--yes", `${number}`), "no request");
  });
  await t.step("a grant, its list, and its end", async () => {
    const script = "printf granted\n";
    const first = await queue.publish(script);
    const { number } = await parked(first);
    assertMatch(
      await good("approve", "--yes", "--for", "10m", `${number}`),
      /^approved, and grant 1/,
    );
    assertEquals((await answer(first)).stdout, "granted");
    assertEquals((await answer(await queue.publish(script))).stdout, "granted");
    await until("status knows", async () => /^1 /.test(await good("grants")));
    assertEquals(await good("grants", "revoke", "1"), "grant 1 is ended\n");
    const third = await queue.publish(script);
    const again = await parked(third);
    const like = ["--yes", "--for", "1h", "--all-like"];
    assertStringIncludes(await bad("approve", ...like, `${again.number}`), "not a grant");
    await good("deny", `${again.number}`);
    const set = (value: number): Promise<RequestId> =>
      op(["vm.prefs.set", "vm=work", "property=memory", `value=${value}`]);
    const memory = await set(600);
    await good("approve", ...like, `${(await parked(memory)).number}`);
    assertEquals((await answer(memory)).end, "done 0");
    assertEquals((await answer(await set(500))).end, "done 0");
    await good("lockdown");
    await good("unlock");
    await parked(await set(700));
  });
  await t.step("what it may do, what would become of a request, a typed result", async () => {
    const listed = JSON.parse((await answer(await op(["ops"]))).stdout);
    const decisions = new Map<string, string>(
      listed.map(({ name, decision }: Record<string, string>) => [name, decision]),
    );
    assertEquals([decisions.get("vm.list"), decisions.get("vm.remove")], ["allow", "ask"]);
    const explain = { flags: new Set(["explain"] as const) };
    const explained = await answer(await op(SET_800, explain));
    assertEquals(JSON.parse(explained.stdout).preview, [{
      what: "memory of work",
      before: { value: "500", isDefault: false },
      after: { value: "800", isDefault: false },
    }]);
    assertEquals(await tool(qubes, "qvm-prefs", "work", "memory"), "500");
    const json = { flags: new Set(["json"] as const) };
    assertEquals(
      (await answer(await op(["vm.names"], json))).stdout,
      '["agent","dom0","work"]\n',
    );
    const wrong = await answer(await op(["vm.info", "qube=work"]));
    assertEquals([wrong.end, wrong.stderr], [
      "bad-operation",
      "qvm-remote-dom0: vm.info has no parameter qube; it has: vm\n",
    ]);
  });
  assertEquals(await daemon.stop(), 0);
  assertEquals((await qubes.dom0(["audit", "verify"])).code, 0);
  assertStringIncludes(await bad("approve", "--yes", "1"), "no request");
});

Deno.test("a person is not there", async (t) => {
  await using qubes = await install(VMS);
  await qubes.authorize("agent", "--grant", "ask");
  await qubes.configure(["QVM_REMOTE_APPROVAL_EXPIRES=1"]);
  let daemon = await qubes.startDaemon(["agent"]);
  const { parked, answer, queue, bad } = await openScene(qubes);
  await t.step("its time is over", async () => {
    assertEquals((await answer(await queue.publish("true\n"))).end, "approval-expired");
    assertEquals(await daemon.stop(), 0);
  });
  const conf = `${qubes.world.dom0Root}/etc/qubes/remote.conf`;
  const lines = (await Deno.readTextFile(conf)).split("\n");
  const others = lines.filter((line) => !line.startsWith("QVM_REMOTE_APPROVAL_EXPIRES"));
  await Deno.writeTextFile(conf, others.join("\n"));
  daemon = await qubes.startDaemon(["agent"]);
  await t.step("the policy comes to deny it", async () => {
    const id = await queue.publish("true\n");
    await parked(id);
    await Deno.writeTextFile(
      `${qubes.world.dom0Root}/etc/qubes/remote-policy.d/10-no.policy`,
      "shell agent * deny\n",
      { mode: 0o600 },
    );
    assertEquals((await answer(id)).end, "policy-denied");
    await Deno.remove(`${qubes.world.dom0Root}/etc/qubes/remote-policy.d/10-no.policy`);
  });
  await t.step("the daemon is stopped, and the next one knows nothing of it", async () => {
    let id: RequestId = await queue.publish("true\n");
    await until("the rule is gone", async () => {
      if (!queue.hasAnswer(id)) return (await qubes.dom0(["pending"])).stdout.includes("agent");
      id = await queue.publish("true\n");
      return false;
    });
    assertEquals(await daemon.stop(), 0);
    assertEquals((await answer(id)).end, "stopping 126");
    assertStringIncludes(await bad("approve", "--yes", "1"), "no request");
    daemon = await qubes.startDaemon(["agent"]);
    assertEquals((await qubes.dom0(["pending", "--json"])).stdout, "[]\n");
  });
  assertEquals(await daemon.stop(), 0);
});
