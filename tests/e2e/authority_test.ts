// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Authority between nothing and root: what a VM may do by rules of operations, and what it sees of
 * the qubes that it may not touch. The programs are the real ones, over the simulated Qubes.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { install, type Installed, readAudit } from "./installed.ts";
import { until } from "../until.ts";

const VMS = [
  { name: "agent" },
  { name: "ai-one", tags: ["ai"] },
  { name: "vault" },
];

/** A tool of dom0, as its administrator runs it. */
async function tool({ world }: Installed, name: string, ...args: string[]): Promise<void> {
  const { code } = await new Deno.Command(`${world.dom0Bin}/${name}`, {
    args,
    clearEnv: true,
    env: world.dom0Env(),
  }).output();
  assertEquals(code, 0, name);
}

Deno.test("a VM with a scope", async (t) => {
  await using qubes = await install(VMS);
  await qubes.authorize("agent", "--grant", "manage", "--scope", "@tag:ai");
  const daemon = await qubes.startDaemon(["agent"]);
  const ask = (...words: string[]) => qubes.client("agent", words);
  const printed = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await ask(...words);
    assertEquals([code, stderr], [0, ""], words.join(" "));
    return stdout;
  };

  await t.step("lists hold the qubes in its scope, as words and as a script", async () => {
    assertEquals(await printed("qvm-ls", "--raw-list"), "ai-one\n");
    assertEquals(await printed("qvm-ls --raw-list"), "ai-one\n");
    const fields = "name,state,class,label,template,netvm";
    const listed = await printed("qvm-ls", "--raw-data", `--fields=${fields}`);
    assertMatch(listed, /^ai-one\|[^\n]*\n$/);
  });
  await t.step("it changes what is in its scope", async () => {
    assertEquals(await printed("qvm-prefs", "ai-one", "memory", "800"), "");
    assertEquals(await printed("qvm-prefs", "ai-one", "memory"), "800\n");
  });
  await t.step("a qube outside, and one that there is not, are answered alike", async () => {
    const idless = async (...words: string[]) => {
      const { code, stdout, stderr } = await ask(...words);
      return { code, stdout, stderr: stderr.replace(/id=\S+\)/, "id)") };
    };
    for (const words of [["qvm-start"], ["qvm-prefs"], ["qvm-tags"], ["qvm-kill"]]) {
      const outside = await idless(...words, "vault");
      assertEquals([outside.code, outside.stdout], [126, ""]);
      assertEquals(outside, await idless(...words, "ghost"));
    }
    assertEquals((await ask("qvm-prefs", "ai-one", "netvm", "vault")).code, 126);
  });
  await t.step("what is no operation is the shell, and that is none of its rights", async () => {
    for (
      const words of [["id"], ["qvm-ls; id"], ["-c", "qvm-ls --raw-list\nid"], ["qvm-ls --help"]]
    ) {
      assertEquals((await ask(...words)).code, 126, words.join(" "));
    }
  });
  await t.step("the tag of its scope is not its to give", async () => {
    assertEquals((await ask("qvm-tags", "ai-one", "add", "ai")).code, 126);
    assertEquals(await printed("qvm-tags", "ai-one", "add", "mine"), "");
  });
  await t.step("a tag that dom0 gives or takes counts at once", async () => {
    await tool(qubes, "qvm-tags", "vault", "add", "ai");
    assertEquals(await printed("qvm-ls", "--raw-list"), "ai-one\nvault\n");
    await tool(qubes, "qvm-tags", "vault", "del", "ai");
    assertEquals((await ask("qvm-prefs", "vault", "label")).code, 126);
  });
  await t.step("the record names operation, rule and decision", () => {
    const records = readAudit(qubes.world);
    const accepted = records.find(({ event, command }) =>
      event === "accepted" && command === "qvm-prefs ai-one memory 800"
    );
    assertEquals(accepted?.["operation"], "vm.prefs.set");
    assertMatch(String(accepted?.["rule"]), /^50-agent\.policy:\d+$/);
    const refused = records.find(({ event, command }) => event === "refused" && command === "id");
    assertEquals([refused?.["operation"], refused?.["reason"]], ["shell", "policy-denied"]);
  });
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a VM that may read: all of it, and nothing else", async (t) => {
  await using qubes = await install(VMS);
  await qubes.authorize("agent", "--grant", "monitor");
  const daemon = await qubes.startDaemon(["agent"]);
  const ask = (...words: string[]) => qubes.client("agent", words);
  assertEquals((await ask("qvm-ls", "--raw-list")).stdout, "agent\nai-one\ndom0\nvault\n");
  assertEquals((await ask("qvm-prefs", "vault", "label")).code, 0);
  assertEquals((await ask("qvm-start", "vault")).code, 126);
  assertEquals((await ask("cat", "/etc/shadow")).code, 126);

  await t.step(
    "a rule may create qubes into a scope, and says how long things may take",
    async () => {
      const file = `${qubes.world.dom0Root}/etc/qubes/remote-policy.d/40-more.policy`;
      await Deno.writeTextFile(
        file,
        "vm.create agent * allow create=@tag:ai\nvm.run agent @tag:ai allow timeout=1\n",
        { mode: 0o600 },
      );
      await until("the rule is taken up", async () => {
        const { code, stderr } = await ask("qvm-create", "--label", "red", "ai-two");
        assertEquals(stderr === "" || code === 126, true, stderr);
        return code === 0;
      });
      assertEquals((await ask("qvm-tags", "ai-two", "list")).stdout.includes("ai\n"), true);
      const slow = ["qvm-run", "-p", "--no-gui", "-n", "ai-one", "sleep 30"];
      const { code, stderr } = await ask(...slow);
      assertEquals(code, 124);
      assertStringIncludes(stderr, "timed out");
    },
  );
  assertEquals(await daemon.stop(), 0);
});
