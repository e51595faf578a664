// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What is built can be built again: another checkout, in another folder, at another time, gives the
 * same bytes; and a release is signed with the key that was named. Run by "make test-compiled", on what
 * it has built.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
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

async function good(words: readonly string[], env: Record<string, string>): Promise<string> {
  const [program = "", ...args] = words;
  const done = await new Deno.Command(program, { args, env, cwd: PROJECT }).output();
  const [out, err] = [done.stdout, done.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!done.success) throw new Error(`${words.join(" ")}: ${out}${err}`);
  return `${out}`;
}

/** A key without a password, in a keyring of its own. @returns its fingerprint */
async function newKey(keyring: string): Promise<string> {
  await Deno.mkdir(keyring, { mode: 0o700 });
  const env = { GNUPGHOME: keyring };
  const make = ["--batch", "--passphrase", "", "--quick-gen-key", "release@localhost", "ed25519"];
  await good(["gpg", ...make, "sign"], env);
  const listed = await good(["gpg", "--with-colons", "--list-secret-keys"], env);
  return /^fpr:+([0-9A-F]{40}):$/m.exec(listed)?.[1] ?? "none";
}

const SIGN = ["sh", "shared/packaging/sign-release"];

Deno.test("a release's hashes are signed with the key that is named, and no old signature stays", async () => {
  const folder = await Deno.makeTempDir();
  const [keyring, dist] = [`${folder}/keyring`, `${folder}/dist`];
  const env = { GNUPGHOME: keyring };
  try {
    const key = await newKey(keyring);
    await Deno.mkdir(dist);
    const sums = `${dist}/SHA256SUMS`;
    await Deno.writeTextFile(sums, `${"0".repeat(64)}  a\n`);
    await good([...SIGN, "check", key], env);
    await good([...SIGN, dist, key], env);
    const verify = ["gpg", "--status-fd", "1", "--verify", `${sums}.asc`, sums];
    assertStringIncludes(await good(verify, env), `VALIDSIG ${key}`);
    await Deno.writeTextFile(sums, `${"1".repeat(64)}  a\n`);
    const changed = await good(verify, env).catch(String);
    assertStringIncludes(changed, "BADSIG");
    await good([...SIGN, dist, key], env); // again, over the old one
    assertStringIncludes(await good(verify, env), `VALIDSIG ${key}`);
    await good([...SIGN, dist, ""], env);
    assertEquals([...Deno.readDirSync(dist)].map(({ name }) => name), ["SHA256SUMS"]);
  } finally {
    await new Deno.Command("gpgconf", { args: ["--kill", "gpg-agent"], env }).output();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a key that gpg does not have ends make dist before anything is built", async () => {
  const keyring = await Deno.makeTempDir();
  try {
    const make = [
      "make",
      "--no-print-directory",
      "dist",
      "SIGN_KEY=nobody@localhost",
      `DENO=${Deno.execPath()}`,
    ];
    const said = await good(make, { GNUPGHOME: keyring }).catch(String);
    const [, first = "", hint = "", end = "", ...more] = said.split(/^Error: [^\n]*?: |\n/);
    assertEquals(first, 'sign-release: error: gpg has no secret key "nobody@localhost"');
    assertStringIncludes(hint, 'sign-release: hint: run "gpg --list-secret-keys"');
    assertStringIncludes(end, "check-sign-key] Error 1");
    assertEquals(more.join(""), "", "something was built");
  } finally {
    await new Deno.Command("gpgconf", { args: ["--kill", "all"], env: { GNUPGHOME: keyring } })
      .output();
    await Deno.remove(keyring, { recursive: true });
  }
});
