// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { readPolicyFolder } from "../../../dom0/policy/policy_folder.ts";
import { UserError } from "../../../shared/cli/program.ts";

const OWN = Deno.uid();

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o700);
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("all files are read, but what editors and package managers left", () =>
  withFolder(async (folder) => {
    const names = [
      "50-work.policy",
      "shared",
      ".50-work.policy.swp",
      "x~",
      "50-work.policy.rpmnew",
    ];
    for (const name of names) await Deno.writeTextFile(`${folder}/${name}`, name, { mode: 0o600 });
    assertEquals([...(await readPolicyFolder(folder, OWN)).keys()], ["50-work.policy", "shared"]);
    await Deno.mkdir(`${folder}/folder.d`);
    assertEquals((await readPolicyFolder(folder, OWN)).size, 2);
    assertEquals([...(await readPolicyFolder(`${folder}/none`, OWN)).keys()], []);
  }));

Deno.test("what others could have changed is not read, and nothing else either", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/10-good.policy`, "", { mode: 0o644 });
    await Deno.writeTextFile(`${folder}/20-bad.policy`, "", { mode: 0o600 });
    const refused = async (): Promise<string> =>
      (await assertRejects(() => readPolicyFolder(folder, OWN), UserError)).message;
    await Deno.chmod(`${folder}/20-bad.policy`, 0o620);
    assertStringIncludes(await refused(), '20-bad.policy" can be changed by users');
    await Deno.chmod(`${folder}/20-bad.policy`, 0o600);
    await Deno.chmod(folder, 0o777);
    assertStringIncludes(await refused(), "can be changed by users other");
    await Deno.chmod(folder, 0o700);
    const other = await assertRejects(() => readPolicyFolder(folder, (OWN ?? 0) + 1), UserError);
    assertStringIncludes(other.message, "is not owned by uid");
    await Deno.writeTextFile(`${folder}/.elsewhere`, "", { mode: 0o600 });
    await Deno.chmod(`${folder}/.elsewhere`, 0o606);
    await Deno.symlink(".elsewhere", `${folder}/30-link.policy`);
    assertStringIncludes(await refused(), '30-link.policy" can be changed by users');
  }));

Deno.test("a policy file that is a link is read like a file", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/p`, { mode: 0o700 });
    await Deno.writeTextFile(`${folder}/elsewhere`, "* work * deny\n", { mode: 0o600 });
    await Deno.symlink("../elsewhere", `${folder}/p/10-first.policy`);
    const files = await readPolicyFolder(`${folder}/p`, OWN);
    assertEquals(files.get("10-first.policy"), "* work * deny\n");
  }));

for (
  const [name, make] of [
    ["a folder", (path) => Deno.mkdir(path)],
    ["a dangling link", (path) => Deno.symlink("nowhere", path)],
    ["257 KiB", (path) => Deno.writeTextFile(path, "#".repeat(257 * 1024), { mode: 0o600 })],
  ] as readonly (readonly [string, (path: string) => Promise<void>])[]
) {
  Deno.test(`a policy folder with a file that is ${name} is not read around it`, () =>
    withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/10-good.policy`, "* work * allow\n", { mode: 0o600 });
      await make(`${folder}/20-bad.policy`);
      await assertRejects(() => readPolicyFolder(folder, OWN));
    }));
}
