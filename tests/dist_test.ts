// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What is built can be built again: another checkout, in another folder, at another time, gives the
 * same bytes. Run by "make test-compiled", on what it has built.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { PROJECT } from "./e2e/program_flags.ts";

const BUILT = Deno.env.get("QVM_REMOTE_BUILT");
const SOURCES = [
  "dom0",
  "vm",
  "shared",
  "policies",
  ".ci",
  "Makefile",
  "deno.json",
  "deno.lock",
];

async function run(words: readonly string[], cwd: string, env = {}): Promise<void> {
  const [program = "", ...args] = words;
  const { success, stderr } = await new Deno.Command(program, { args, cwd, env }).output();
  if (!success) throw new Error(`${words.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

async function sha256(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
}

Deno.test("two builds give the same bytes, and the binary is made of the script beside it", async () => {
  assert(BUILT !== undefined, "make test-compiled says where the programs are");
  const folder = await Deno.makeTempDir();
  try {
    const copy = `${folder}/another/checkout`;
    await Deno.mkdir(copy, { recursive: true });
    await run(["cp", "-r", ...SOURCES, copy], PROJECT);
    // A build's date is that of its commit; this copy has none.
    const { mtime } = await Deno.stat(`${BUILT}/dom0/openclaw-tunnel.js`);
    const SOURCE_DATE_EPOCH = String((mtime?.getTime() ?? 0) / 1000);
    const compiler = Deno.env.get("COMPILE_DENO") ?? Deno.execPath();
    const words = [`DENO=${Deno.execPath()}`, `COMPILE_DENO=${compiler}`];
    await run(["make", "dom0", "vm", ...words], copy, { SOURCE_DATE_EPOCH });
    const [here, there]: [string[], string[]] = [[], []];
    for (const side of ["dom0", "vm"]) {
      for (const { name } of Deno.readDirSync(`${copy}/build/${side}`)) {
        there.push(`${await sha256(`${copy}/build/${side}/${name}`)} ${side}/${name}`);
        here.push(`${await sha256(`${BUILT}/${side}/${name}`)} ${side}/${name}`);
      }
    }
    assert(there.length > 25, `${there.length} files`);
    assertEquals(here, there);
    const binary = await Deno.readFile(`${BUILT}/dom0/qvm-remote-dom0.bin`).catch(() => null);
    if (binary === null) return; // it cannot be compiled here
    const script = await Deno.readTextFile(`${BUILT}/dom0/qvm-remote-dom0.js`);
    assert(new TextDecoder("latin1").decode(binary).includes(script.slice(0, 10_000)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
