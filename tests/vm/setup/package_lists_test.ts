// SPDX-License-Identifier: GPL-2.0-or-later
/** The lists by which npm installs: exact versions, every package by its hash, no host named. */

import { assert, assertEquals } from "@std/assert";
import { PROJECT } from "../../e2e/program_flags.ts";

const LISTS = ["vm/openclaw/openclaw", "vm/openclaw/node", "vm/docker/deno"];

interface Package {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  /** It lies in the package above it, and is under that one's hash. */
  readonly inBundle?: boolean;
}

for (const folder of LISTS) {
  Deno.test(`${folder}: each package has an exact version and a SHA-512, and no host`, () => {
    const read = (name: string) =>
      JSON.parse(Deno.readTextFileSync(`${PROJECT}/${folder}/${name}`));
    const { dependencies, optionalDependencies } = read("package.json");
    const wanted: Record<string, string> = { ...dependencies, ...optionalDependencies };
    const { packages, lockfileVersion } = read("package-lock.json");
    assertEquals(lockfileVersion, 3);
    for (const [name, version] of Object.entries(wanted)) {
      assert(/^\d+\.\d+\.\d+$/.test(version), `${name} ${version}`);
      assertEquals(packages[`node_modules/${name}`].version, version);
    }
    const all = (Object.entries(packages) as [string, Package][]).filter(([path]) => path !== "");
    assert(all.length >= Object.keys(wanted).length);
    for (const [path, { integrity, resolved, link, inBundle }] of all) {
      if (inBundle !== true) assert(/^sha512-[\w+\/]{86}==$/.test(integrity ?? ""), path);
      assertEquals([resolved, link], [undefined, undefined], path);
    }
  });
}

Deno.test("the list of OpenClaw is the whole of it", () => {
  const text = Deno.readTextFileSync(`${PROJECT}/${LISTS[0]}/package-lock.json`);
  const count = Object.keys(JSON.parse(text).packages).length;
  assert(count > 300, `${count} packages`);
});
