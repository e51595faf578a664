// SPDX-License-Identifier: GPL-2.0-or-later
/** Without -i, what is piped to qvm-remote is neither taken nor lost in silence. */

import { assertEquals, assertMatch } from "@std/assert";
import { utf8 } from "../../shared/protocol/bytes.ts";
import { install, until } from "./installed.ts";

const VM = "work";
const WARNING = /^qvm-remote: warning: (\d+) bytes? waits? on stdin, and the command does not get /;

Deno.test("a pipe that holds data for a command without -i gets one line of warning", async (t) => {
  await using qubes = await install([{ name: VM }]);
  await qubes.authorize(VM);
  const daemon = await qubes.startDaemon([VM]);
  const go = `${qubes.world.folder}/go`;
  const waiting = ["-c", `until [ -e ${go} ]; do sleep 0.05; done; cat; echo ran`];

  /** Runs what ends when the warning is there. */
  const warned = async (data: string, words: readonly string[]): Promise<string> => {
    const child = qubes.spawnClient(VM, words, "piped");
    const writer = child.stdin.getWriter();
    await writer.write(utf8(data));
    let said = "";
    const reading = (async () => {
      const text = new TextDecoder();
      for await (const chunk of child.stderr) said += text.decode(chunk, { stream: true });
    })();
    await until("it warns", () => Promise.resolve(said.includes("\n")));
    await Deno.writeTextFile(go, "");
    await writer.close().catch(() => {});
    const stdout = await new Response(child.stdout).text();
    assertEquals((await child.status).code, 0);
    await reading;
    await Deno.remove(go);
    assertMatch(said, WARNING);
    assertEquals(said.trimEnd().split("\n").length, 1, said);
    return stdout;
  };

  await t.step("while the command runs, whatever shows its answer", async () => {
    assertEquals(await warned("to be lost", waiting), "ran\n");
    const value = JSON.parse(await warned("x", ["--json", ...waiting]));
    assertEquals([value.stdout, value.exit, value.stderr, value.messages], ["ran\n", 0, "", []]);
    assertEquals(await warned("x", ["-q", ...waiting]), "ran\n");
  });

  await t.step("an operation could have had it, too", async () => {
    const run = ["op", "vm.run", `vm=${VM}`, `command=${waiting[1]}`];
    await warned("data", run);
  });

  await t.step("who gives it, or has none, is told nothing", async () => {
    await Deno.writeTextFile(go, "");
    const given = await qubes.client(VM, ["-i", ...waiting], "given ");
    assertEquals([given.stdout, given.stderr], ["given ran\n", ""]);
    const script = await qubes.client(VM, [], "echo script\n");
    assertEquals([script.stdout, script.stderr], ["script\n", ""]);
    const none = await qubes.client(VM, waiting, "");
    assertEquals([none.stdout, none.stderr], ["ran\n", ""]);
    const explained = await qubes.client(VM, ["--explain", "true"], "data");
    assertEquals(explained.stderr, "");
  });

  await t.step("a loop keeps the lines that it has not read, and hears nothing", async () => {
    const list = `${qubes.world.folder}/list`;
    await Deno.writeTextFile(list, "one\ntwo\nthree\n");
    const bash = async (script: string): Promise<readonly string[]> => {
      const child = qubes.world.runInVm(VM, ["bash", "-c", script, qubes.world.vmBin], {
        ...{ stdout: "piped", stderr: "piped" },
      });
      const { stdout, stderr } = await child.output();
      return [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    };
    const loop = 'while read -r line; do "$0/qvm-remote" echo "$line"; done';
    for (const script of [`${loop} < ${list}`, `cat ${list} | ${loop}`]) {
      assertEquals(await bash(script), ["one\ntwo\nthree\n", ""], script);
    }
    const first = '{ "$0/qvm-remote" echo ran; read -r line; echo "$line"; }';
    assertEquals(await bash(`${first} < ${list}`), ["ran\none\n", ""]);
  });
  await daemon.stop();
});
