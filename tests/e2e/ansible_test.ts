// SPDX-License-Identifier: GPL-2.0-or-later
/** The page about Ansible: its connection plugin, by its own lines, with the real Ansible. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { shellQuote } from "../../shared/protocol/command.ts";
import { finish, type Finished, install, type Installed } from "./installed.ts";
import { PROJECT } from "./program_flags.ts";
import { commandsOf } from "./typing.ts";

const VM = "work";
const PAGE = "vm/ansible/README.md";

/** What a person types in a folder with the plugin; beside a playbook it is found by itself. */
async function withPlugin(
  { world }: Installed,
): Promise<(text: string, isPipelined?: boolean) => Promise<Finished>> {
  const page = await Deno.readTextFile(`${PROJECT}/${PAGE}`);
  const plugin = /```python\n([^]*?)```/.exec(page)?.[1];
  assert(plugin !== undefined, "the page has no plugin");
  const folder = `${world.vmHome(VM)}/connection_plugins`;
  await Deno.mkdir(folder);
  await Deno.writeTextFile(`${folder}/qvm_remote.py`, plugin);
  return (text, isPipelined = false) =>
    finish(world.runInVm(VM, ["bash", "-c", text], {
      env: {
        ANSIBLE_CONNECTION_PLUGINS: folder,
        ANSIBLE_NOCOLOR: "1",
        ANSIBLE_PIPELINING: `${isPipelined}`,
        ANSIBLE_REMOTE_TMP: `${world.dom0Root}/tmp/ansible`,
      },
      stdout: "piped",
      stderr: "piped",
    }));
}

/** As one word of a shell. */
const json = (value: unknown): string => shellQuote([JSON.stringify(value)]);

function good({ code, stdout, stderr }: Finished): string {
  assertEquals(code, 0, stdout + stderr);
  return stdout;
}

Deno.test("Ansible: every line of the page does what it says, with pipelining and without", async (t) => {
  await using qubes = await install([{ name: VM }]);
  await qubes.authorize(VM);
  const daemon = await qubes.startDaemon([VM]);
  const type = await withPlugin(qubes);
  const [dom0, home] = [qubes.world.dom0Root, qubes.world.vmHome(VM)];
  const example = `${dom0}/etc/qubes/example.conf`;
  for (const isPipelined of [false, true]) {
    for (const { text } of await commandsOf({ page: PAGE }, { "# in the VM:": VM })) {
      await t.step(`${text}${isPipelined ? " (pipelined)" : ""}`, async () => {
        const stdout = good(await type(text.replaceAll("/etc/", `${dom0}/etc/`), isPipelined));
        if (text.includes("ping")) assertStringIncludes(stdout, '"ping": "pong"');
        if (text.includes("qvm-ls")) assertStringIncludes(stdout, "rc=0 >>\ndom0\nwork\n");
      });
    }
    const hosts = await Deno.readTextFile(`${home}/hosts`);
    assertEquals(await Deno.readTextFile(example), hosts);
    assertEquals(((await Deno.stat(example)).mode ?? 0) & 0o777, 0o600);
    assertEquals(await Deno.readTextFile(`${home}/fetched/dom0${example}`), hosts);
    await Deno.remove(example);
    await Deno.remove(`${home}/fetched`, { recursive: true });
  }
  await daemon.stop();
});

Deno.test("Ansible: every byte, both streams, and the code of a command; what dom0 refuses, and no dom0", async (t) => {
  await using qubes = await install([{ name: VM }]);
  await qubes.authorize(VM);
  const daemon = await qubes.startDaemon([VM]);
  const type = await withPlugin(qubes);
  const [dom0, home] = [qubes.world.dom0Root, qubes.world.vmHome(VM)];
  await Deno.writeTextFile(`${home}/hosts`, "dom0 ansible_connection=qvm_remote\n");
  const task = (words: string): Promise<Finished> => type(`ansible -i hosts dom0 ${words}`);

  await t.step("files of any bytes, and of none", async () => {
    for (
      const bytes of [Uint8Array.from({ length: 12_000_000 }, (_, i) => i * 7), new Uint8Array()]
    ) {
      await Deno.writeFile(`${home}/bytes`, bytes);
      const [there, back] = [`${dom0}/it's $here`, `${home}/back`];
      good(await task(`-m copy -a ${json({ src: "bytes", dest: there })}`));
      assertEquals(await Deno.readFile(there), bytes);
      good(await task(`-m fetch -a ${json({ src: there, dest: "back", flat: true })}`));
      assertEquals(await Deno.readFile(back), bytes);
      await Deno.remove(back);
    }
  });

  await t.step("the code and both streams of a command", async () => {
    const { code, stdout } = await task("-m shell -a 'echo out; echo err >&2; exit 3'");
    assertEquals(code, 2);
    assertMatch(stdout, /FAILED \| rc=3 >>\nout\s*err/);
  });

  await t.step("a VM that may not is told so", async () => {
    const key = (await qubes.client(VM, ["key", "show"])).stdout;
    assertEquals((await qubes.dom0(["authorize", "--grant", "monitor", VM], key)).code, 0);
    const { code, stdout } = await task("-m ping");
    assertEquals(code, 4);
    assertMatch(stdout, /UNREACHABLE!.*the policy in dom0 does not allow it/s);
  });

  await t.step("without dom0 the host is unreachable", async () => {
    await daemon.stop();
    const { code, stdout } = await task("-m ping");
    assertEquals(code, 4);
    assertMatch(stdout, /UNREACHABLE!.*dom0 is not connected/s);
  });
});
