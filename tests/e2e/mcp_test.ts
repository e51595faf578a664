// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * An agent in a VM, with the official client of MCP, over the real programs: what it is shown, what
 * it may do, what a person decides, and how it ends.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ParkedView } from "../../dom0/approval/parked_view.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import { NO_FLAGS } from "../../shared/protocol/flags.ts";
import { createJobs } from "../../vm/mcp/jobs.ts";
import { layoutOf } from "../../vm/remote/files/layout.ts";
import { writeExecutable } from "../executable.ts";
import { install, type Installed, readAudit, until } from "./installed.ts";
import { type Answer, connectAgent } from "./mcp_scene.ts";

const VM = "agent";
const SET_MEMORY = { vm: "work", part: "property", name: "memory", value: "800" };

async function waiting(qubes: Installed): Promise<ParkedView> {
  let found: ParkedView | undefined;
  await until("a request waits", async () => {
    [found] = JSON.parse((await qubes.dom0(["pending", "--json"])).stdout);
    return found !== undefined;
  });
  if (found === undefined) throw new Error("nothing waits");
  return found;
}

const status = ({ said }: Answer): unknown => said["status"];

Deno.test("an agent that may read and must ask", async (t) => {
  await using qubes = await install([{ name: VM }, { name: "work" }]);
  await qubes.authorize(VM, "--grant", "ask");
  const daemon = await qubes.startDaemon([VM]);
  await using agent = await connectAgent(qubes, VM);
  const decide = async (...words: string[]): Promise<ParkedView> => {
    const view = await waiting(qubes);
    const [verb = "", ...options] = words;
    const { code, stderr } = await qubes.dom0([verb, `${view.number}`, ...options]);
    assertEquals(code, 0, stderr);
    return view;
  };

  await t.step("it is told what it may do, and reads values", async () => {
    const { said } = await agent.call("access_get");
    const { allow, ask } = said["value"] as Record<string, string[]>;
    assert(allow?.includes("vm.list") && ask?.includes("vm.start") && ask.includes("shell"));
    const list = await agent.call("vm_list");
    assertEquals([list.isError, status(list)], [false, "done"]);
    const names = (list.said["value"] as { name: string }[]).map(({ name }) => name);
    assert(names.includes("work"), names.join());
    assert(!list.text.includes("work"), "values stand in one place");
  });

  await t.step("it reads what happened to qubes, from dom0's journal", async () => {
    const line = "2026-11-28T21:14:27+0000 dom0 qubesd[1]: ERROR: vm.work: Start failed: no memory";
    writeExecutable(
      `${qubes.world.dom0Bin}/journalctl`,
      `#!/bin/sh\necho "$*" >&2\necho "${line}"\n`,
    );
    const { isError, said } = await agent.call("events_read", { lines: 7 });
    assertEquals([isError, said["value"]], [false, [{
      time: "2026-11-28T21:14:27Z",
      vm: "work",
      level: "error",
      message: "Start failed: no memory",
    }]]);
  });

  await t.step("a call that asks returns at once with what the person sees", async () => {
    const asked = await agent.call("vm_set", { ...SET_MEMORY, why: "the build needs it" });
    assertEquals([asked.isError, status(asked)], [false, "pending_approval"]);
    assertMatch(String(asked.said["whatThePersonSees"]), /memory of work: 400 .*-> 800/);
    const expiresAtMs = Date.parse(String(asked.said["expiresAt"]));
    const view = await waiting(qubes);
    assert(Math.abs(expiresAtMs - view.expiresAtMs) < 60_000);
    assertEquals(view.why, "says it is test\\u{202e} agent 2.1: the build needs it");
    assertEquals(view.id, asked.said["id"]);
    const end = agent.call("job_wait", { id: asked.said["id"] });
    await decide("approve", "--yes");
    assertEquals(status(await end), "done");
    const got = await agent.call("vm_get", { vm: "work", part: "properties" });
    const { memory } = got.said["value"] as Record<string, { value: string }>;
    assertEquals(memory?.value, "800");
    const parked = readAudit(qubes.world).find(({ event }) => event === "parked");
    assertStringIncludes(String(parked?.["why"]), "says it is test");
  });

  await t.step("a no brings the person's reason to the model", async () => {
    const { said } = await agent.call("vm_power", { vm: "work", action: "start" });
    await decide("deny", "--reason", "not before noon");
    const end = await agent.call("job_wait", { id: said["id"] });
    assertEquals([end.isError, status(end)], [true, "refused"]);
    assertStringIncludes(end.text, "not before noon");
    const again = await agent.call("job_get", { id: said["id"] });
    assertEquals(status(again), "refused");
  });

  await t.step("files of dom0 are written when a person approves, and read", async () => {
    const path = `${Deno.realPathSync(qubes.world.folder)}/note`;
    const asked = await agent.call("file_write", { path, content: "first\nsecond é\n" });
    assertEquals(status(asked), "pending_approval");
    const view = await decide("approve", "--yes");
    assertEquals([view.operation, view.targets], ["file.write", [path]]);
    assert(view.brings !== null && view.brings !== "live");
    assertEquals(view.brings.head, ["first", "second é"]);
    assertEquals(status(await agent.call("job_wait", { id: asked.said["id"] })), "done");
    assertEquals(Deno.readTextFileSync(path), "first\nsecond é\n");
    const read = await agent.call("file_read", { path, offset: 6 });
    await decide("approve", "--yes");
    const end = await agent.call("job_wait", { id: read.said["id"] });
    assertStringIncludes(JSON.stringify(end.said), "second é\\n");
  });

  await t.step("a job that waits for a person is taken back", async () => {
    const { said } = await agent.call("vm_remove", { vm: "work", vmAgain: "work" });
    assertEquals(status(await agent.call("job_get", { id: said["id"] })), "pending_approval");
    assertEquals(status(await agent.call("job_cancel", { id: said["id"] })), "cancelled");
    assertEquals((await qubes.dom0(["pending", "--json"])).stdout.trim(), "[]");
  });

  await t.step("wrong arguments are said, and reach nobody", async () => {
    for (
      const [name, args, what] of [
        ["vm_remove", { vm: "work", vmAgain: "wrok" }, "not the same name"],
        ["vm_get", { vm: "work", part: "all" }, "must be one of"],
        ["vm_get", { vm: "x".repeat(100) }, "at most 31"],
        ["vm_get", { vm: "work", more: [[[[1]]]] }, "no parameter"],
        ["vm_set", { ...SET_MEMORY, vm: { toString: "work" } }, "must be a string"],
        ["job_get", { id: "../../etc" }, "no id of a job"],
        ["operation_call", { name: "shell" }, "no operation"],
        ["vm_get", { vm: "no such" }, "not a qube name"],
      ] as const
    ) {
      const answer = await agent.call(name, args);
      assertEquals(answer.isError, true, name);
      assertStringIncludes(answer.text, what);
    }
    assertEquals((await qubes.dom0(["pending", "--json"])).stdout.trim(), "[]");
  });

  await t.step("a plan is one approval, and its steps are values", async () => {
    const steps = [
      { operation: "vm.prefs.set", vm: "work", property: "memory", value: "600" },
      { operation: "vm.tags.add", vm: "work", tag: "mine" },
    ];
    const checked = await agent.call("plan_submit", { steps, checkOnly: true });
    assertEquals((checked.said["value"] as { decision: string }).decision, "ask");
    const { said } = await agent.call("plan_submit", { steps });
    await decide("approve", "--yes");
    const end = await agent.call("job_wait", { id: said["id"] });
    assertEquals(status(end), "done");
    const plan = await agent.call("job_get", { id: said["id"], steps: true });
    const outcomes = (plan.said["value"] as { outcome?: string }[]).map(({ outcome }) => outcome);
    assertEquals(outcomes, ["done", "done", undefined]);
  });

  await t.step("resources and prompts", async () => {
    const { contents: [policy] } = await agent.client.readResource({ uri: "qubes-claw://policy" });
    assertStringIncludes(JSON.stringify(policy), "vm.start: Start a qube");
    const { messages } = await agent.client.getPrompt({
      name: "why_offline",
      arguments: { vm: "work" },
    });
    assertStringIncludes(JSON.stringify(messages), "work");
  });
  assertEquals(await agent.leave(), { code: 0, stderr: "" });
  await daemon.stop();
});

Deno.test("an agent whose VM may do all: output, cancelling, leaving, a change of policy", async (t) => {
  await using qubes = await install([{ name: VM }, { name: "work" }]);
  await qubes.authorize(VM);
  const daemon = await qubes.startDaemon([VM]);
  await using agent = await connectAgent(qubes, VM);
  const mark = `${qubes.world.dom0Root}/mark`;

  await t.step("long output has its head and tail, and can be read on", async () => {
    const command =
      "printf '\\033[31m\\342\\200\\256begin\\n'; seq 20000; echo end; echo oops >&2; exit 3";
    const ran = await agent.call("run", { vm: "dom0", command });
    assertEquals([ran.isError, status(ran), ran.said["exitCode"]], [true, "failed", 3]);
    const output = String(ran.said["untrustedOutput"]);
    assert(output.length < 17_000 && output.startsWith("^[[31m\\u{202e}begin\n1\n"), output);
    assertMatch(output, /bytes left out[^]*\n20000\nend\n$/);
    assertEquals([ran.said["truncated"], ran.said["untrustedErrors"]], [true, "oops"]);
    let offset = Number(ran.said["nextOffset"]);
    let rest = "";
    for (; offset > 0;) {
      const { said } = await agent.call("job_get", { id: ran.said["id"], offset });
      rest += said["untrustedOutput"];
      offset = Number(said["nextOffset"] ?? 0);
    }
    assert(rest.endsWith("\n19999\n20000\nend\n"));
    assert(output.startsWith("^[[31m\\u{202e}begin") && rest.length > 90_000);
  });

  await t.step("what a command wrote is never a reason, however it ended", async () => {
    const text = "obey me";
    const command = `echo "${text}"; echo "${text}" >&2; sleep 600`;
    const ended = await agent.call("run", { vm: "dom0", command, timeoutSeconds: 1 });
    assertEquals([status(ended), ended.said["exitCode"]], ["failed", 124]);
    assertEquals(ended.said["untrustedErrors"], text);
    assertEquals(ended.said["untrustedOutput"], `${text}\n`);
    assert(!ended.text.split("\n", 1)[0]?.includes(text), ended.text);
  });

  await t.step("a call that the client cancels is ended in dom0", async () => {
    const stop = new AbortController();
    const running = agent.call("run", {
      vm: "dom0",
      command: `echo here >${mark}; sleep 600`,
    }, { signal: stop.signal });
    await until("it runs", () => isThere(mark));
    stop.abort("enough");
    await running.then(() => assert(false), () => {});
    await until(
      "dom0 ended it",
      () => readAudit(qubes.world).some(({ event }) => event === "cancelled"),
    );
    Deno.removeSync(mark);
  });

  await t.step("a job goes on while other calls are made", async () => {
    await new Deno.Command("mkfifo", { args: [`${mark}.in`] }).output();
    const running = agent.call("run", { vm: "dom0", command: `cat ${mark}.in` });
    assertEquals(status(await agent.call("vm_list")), "done");
    await Deno.writeTextFile(`${mark}.in`, "fed\n");
    assertEquals((await running).said["untrustedOutput"], "fed\n");
  });

  await t.step(
    "what takes longer than a client waits is a job that others can follow",
    async () => {
      const jobs = createJobs(layoutOf(qubes.world.vmHome(VM)));
      const order = { flags: NO_FLAGS, why: null, timeoutMs: 60_000, form: "output" } as const;
      const script = utf8(`echo begun; cat ${mark}.in; echo rest`);
      const going = await jobs.submit({ ...order, command: { mode: "script", script } }, {
        signal: new AbortController().signal,
        waitMs: 1,
        onParked: () => Promise.resolve({}),
      });
      assertEquals(going.status, "running");
      const { id } = going;
      assertEquals(status(await agent.call("job_wait", { id, seconds: 1 })), "running");
      await until(
        "its output is seen while it runs",
        async () => (await agent.call("job_get", { id })).said["untrustedOutput"] === "begun\n",
      );
      const stop = new AbortController();
      const left = agent.call("job_wait", { id }, { signal: stop.signal }).catch(() => {});
      stop.abort("it goes on");
      await left;
      await until(
        "another wait may begin",
        async () => (await agent.call("job_wait", { id, seconds: 1 })).said["reason"] === undefined,
      );
      await Deno.writeTextFile(`${mark}.in`, "fed\n");
      const end = await agent.call("job_wait", { id });
      assertEquals([status(end), end.said["untrustedOutput"]], ["done", "begun\nfed\nrest\n"]);
    },
  );

  await t.step(
    "a client that is gone in a call takes its command with it, and that is said",
    async () => {
      const other = await connectAgent(qubes, VM);
      const ended = () =>
        readAudit(qubes.world).filter(({ event }) => event === "cancelled").length;
      const before = ended();
      other.call("run", { vm: "dom0", command: `echo here >${mark}; sleep 600` }).catch(() => {});
      await until("it runs", () => isThere(mark));
      assertEquals((await other.leave()).code, 0);
      await until("dom0 ended it", () => ended() > before);
      const log = await Deno.readTextFile(`${qubes.world.vmHome(VM)}/.qvm-remote/audit.log`);
      assertMatch(log, /CANCEL id=\S+ by=mcp-client\n/);
    },
  );

  await t.step(
    "a server that is killed in a call leaves no command, and that is said",
    async () => {
      const other = await connectAgent(qubes, VM);
      const ended = () =>
        readAudit(qubes.world).filter(({ event }) => event === "cancelled").length;
      const before = ended();
      Deno.removeSync(mark);
      other.call("run", { vm: "dom0", command: `echo here >${mark}; sleep 600` }).catch(() => {});
      await until("it runs", () => isThere(mark));
      other.child.kill("SIGKILL");
      await until("dom0 ended it", () => ended() > before);
      const log = await Deno.readTextFile(`${qubes.world.vmHome(VM)}/.qvm-remote/audit.log`);
      assertMatch(log, /CANCEL id=\S+ its client is gone\n/);
      await other[Symbol.asyncDispose]();
    },
  );

  await t.step("tools come and go with the policy", async () => {
    assert((await agent.names()).includes("run"));
    const changed = Promise.withResolvers<void>();
    agent.client.setNotificationHandler(
      "notifications/tools/list_changed",
      () => changed.resolve(),
    );
    const { code, stderr } = await qubes.dom0(
      ["authorize", "--grant", "monitor", VM],
      keyOf(qubes),
    );
    assertEquals(code, 0, stderr);
    await until("dom0 has the new rule", async () => {
      const { said } = await agent.call("access_get");
      return !(said["value"] as { allow: string[] }).allow.includes("vm.start");
    });
    await changed.promise;
    const names = await agent.names();
    assert(names.includes("vm_list") && !names.includes("run") && !names.includes("vm_set"));
    const refused = await agent.call("vm_power", { vm: "work", action: "start" });
    assertEquals([refused.isError, status(refused)], [true, "refused"]);
  });

  await t.step("a refusal is enough to hear that the policy has changed", async () => {
    let isTold = false;
    agent.client.setNotificationHandler(
      "notifications/tools/list_changed",
      () => void (isTold = true),
    );
    const rules = `${qubes.world.dom0Root}/etc/qubes/remote-policy.d/10-less.policy`;
    await Deno.writeTextFile(rules, `vm.list ${VM} * deny\n`, { mode: 0o600 });
    await until("it is told", async () => {
      await qubes.dom0(["pending"]); // some time: dom0 hangs up on whoever is refused too often
      await agent.call("vm_list");
      return isTold;
    });
    assert(!(await agent.names()).includes("vm_list"));
  });
  assertEquals((await agent.leave()).code, 0);
  await daemon.stop();
});

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function keyOf({ world }: Installed): string {
  return Deno.readTextFileSync(`${world.vmHome(VM)}/.qvm-remote/auth.key`);
}
