// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../../../shared/cli/program.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import { createKeyStore, type KeyStore } from "../../../dom0/settings/key_store.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import {
  IS_ROOT,
  KEY,
  KEY_TEXT,
  LAB,
  modeOf,
  namesIn,
  OTHER_KEY_TEXT,
  withFolder,
  WORK,
} from "../fixture.ts";

const withStore = (run: (store: KeyStore, folder: string) => Promise<void>): Promise<void> =>
  withFolder((root) => run(createKeyStore(`${root}/remote.d`), `${root}/remote.d`));

Deno.test("key store: nothing there is nobody authorised", () =>
  withStore(async (store) => {
    assertEquals(await store.list(), []);
    assertEquals(await store.read(WORK), undefined);
    assertEquals(await store.remove(WORK), false);
  }));

Deno.test("key store: a key is private, comes back, and goes", () =>
  withStore(async (store, folder) => {
    const umask = Deno.umask(0);
    try {
      await store.write(WORK, KEY_TEXT, false);
    } finally {
      Deno.umask(umask);
    }
    assertEquals([modeOf(folder), modeOf(`${folder}/work.key`)], [0o700, 0o600]);
    assertEquals(namesIn(folder), ["work.key"]);
    const stored = await store.read(WORK);
    assertEquals([stored?.key.fingerprint, stored?.acceptsV1], [KEY.fingerprint, false]);
    assertEquals(await store.remove(WORK), true);
    assertEquals(await store.read(WORK), undefined);
    assertEquals(namesIn(folder), []);
  }));

Deno.test("key store: a folder that others could enter is closed", () =>
  withStore(async (store, folder) => {
    await Deno.mkdir(folder);
    await Deno.chmod(folder, 0o755);
    await store.write(WORK, KEY_TEXT, false);
    assertEquals(modeOf(folder), 0o700);
  }));

Deno.test("key store: accept-v1 is of one key, and goes with it", () =>
  withStore(async (store, folder) => {
    await store.write(WORK, KEY_TEXT, true);
    await store.write(LAB, KEY_TEXT, false);
    assertEquals(namesIn(folder), ["lab.key", "work.accept-v1", "work.key"]);
    assertEquals((await store.read(WORK))?.acceptsV1, true);
    assertEquals((await store.read(LAB))?.acceptsV1, false);
    await store.write(WORK, OTHER_KEY_TEXT, false);
    const { fingerprint } = await parseAuthKey(OTHER_KEY_TEXT);
    const stored = await store.read(WORK);
    assertEquals([stored?.key.fingerprint, stored?.acceptsV1], [fingerprint, false]);
    await store.write(WORK, KEY_TEXT, true);
    await store.remove(WORK);
    assertEquals(namesIn(folder), ["lab.key"]);
  }));

Deno.test("key store: a marker without a key authorises nobody", () =>
  withStore(async (store, folder) => {
    await Deno.mkdir(folder);
    await Deno.writeTextFile(`${folder}/work.accept-v1`, "");
    assertEquals(await store.read(WORK), undefined);
    assertEquals(await store.list(), []);
  }));

const REFUSED: readonly {
  readonly name: string;
  readonly make: (path: string) => Promise<void>;
  readonly says: string;
}[] = [
  { name: "group can read it", make: (path) => Deno.chmod(path, 0o640), says: "read by group" },
  { name: "others can write it", make: (path) => Deno.chmod(path, 0o602), says: "read by group" },
  {
    name: "it is a folder",
    says: "not a regular file",
    async make(path) {
      await Deno.remove(path);
      await Deno.mkdir(path);
    },
  },
  {
    name: "it is a link to a file that others can read",
    says: "read by group",
    async make(path) {
      await Deno.remove(path);
      await Deno.writeTextFile(`${path}.elsewhere`, KEY_TEXT, { mode: 0o644 });
      await Deno.symlink(`${path}.elsewhere`, path);
    },
  },
  {
    name: "it is a link to a device",
    says: "not a regular file",
    async make(path) {
      await Deno.remove(path);
      await Deno.symlink("/dev/zero", path);
    },
  },
  {
    name: "it is too large",
    make: (path) => Deno.writeTextFile(path, "a".repeat(81)),
    says: "larger than 80",
  },
  { name: "it is empty", make: (path) => Deno.writeTextFile(path, ""), says: "64 lower-case hex" },
  {
    name: "it is half a key",
    make: (path) => Deno.writeTextFile(path, KEY_TEXT.slice(32)),
    says: "hex",
  },
  {
    name: "it is in capitals",
    make: (path) => Deno.writeTextFile(path, KEY_TEXT.toUpperCase()),
    says: "hex",
  },
  // F25: what Python's int() took for hex digits.
  {
    name: "it has underscores",
    make: (path) => Deno.writeTextFile(path, "1_".repeat(32)),
    says: "hex",
  },
  {
    name: "it begins with 0x",
    make: (path) => Deno.writeTextFile(path, "0x" + KEY_TEXT.slice(2)),
    says: "hex",
  },
  {
    name: "it is two keys",
    make: (path) => Deno.writeTextFile(path, `${KEY_TEXT}\n${"0".repeat(15)}`),
    says: "hex",
  },
];

for (const { name, make, says } of REFUSED) {
  Deno.test(`key store: a key is refused if ${name}`, () =>
    withStore(async (store, folder) => {
      await store.write(WORK, KEY_TEXT, true);
      await make(`${folder}/work.key`);
      const error = await assertRejects(() => store.read(WORK), Error);
      assertEquals(error instanceof UserError || error instanceof ProtocolError, true);
      assertStringIncludes(error.message, says);
      assertEquals(error.message.includes(KEY_TEXT.slice(32)), false, "the error repeats the key");
      if (!Deno.lstatSync(`${folder}/work.key`).isDirectory) await store.remove(WORK);
    }));
}

Deno.test({
  name: "key store: a key of another user is refused",
  ignore: !IS_ROOT,
  fn: () =>
    withStore(async (store, folder) => {
      await store.write(WORK, KEY_TEXT, false);
      await Deno.chown(`${folder}/work.key`, 65534, 65534);
      const error = await assertRejects(() => store.read(WORK), UserError);
      assertStringIncludes(error.message, "not owned by uid 0");
    }),
});

Deno.test("key store: white space around a key is an editor's, and is passed over", () =>
  withStore(async (store) => {
    await store.write(WORK, ` ${KEY_TEXT}\r\n`, false);
    assertEquals((await store.read(WORK))?.key.fingerprint, KEY.fingerprint);
  }));

Deno.test("key store: whoever reads during a change sees one key or the other, whole", () =>
  withStore(async (store, folder) => {
    const texts = [KEY_TEXT, OTHER_KEY_TEXT];
    await store.write(WORK, KEY_TEXT, false);
    const prints = new Set(
      await Promise.all(texts.map(async (text) => {
        return (await parseAuthKey(text)).fingerprint;
      })),
    );
    let reads = 0;
    let done = false;
    const reading = (async () => {
      for (; !done; reads++) {
        const print = (await store.read(WORK))?.key.fingerprint ?? "none";
        assertEquals(prints.has(print), true, print);
      }
    })();
    for (let i = 0; i < 50; i++) await store.write(WORK, texts[i % 2] ?? "", i % 3 === 0);
    done = true;
    await reading;
    assertEquals(reads > 10, true, `${reads} reads`);
    assertEquals(namesIn(folder), ["work.key"], "no temporary file is left");
  }));

Deno.test("key store: the list is of the names that are names, sorted", () =>
  withStore(async (store, folder) => {
    await store.write(parseVmName("zoo"), KEY_TEXT, true);
    await store.write(WORK, KEY_TEXT, false);
    await store.write(parseVmName("a.b-c_d"), KEY_TEXT, false);
    const odd = [
      ...[".key", "dom0.key", "-x.key", "a b.key", "x.key~", "key", "lab.key.rpmsave", "x\n.key"],
      ...[".work.key.1a2b3c4d", "\u00e4.key", `${"a".repeat(32)}.key`, "x.KEY", "Domain-0.key"],
    ];
    for (const name of odd) await Deno.writeTextFile(`${folder}/${name}`, KEY_TEXT);
    assertEquals<readonly string[]>(await store.list(), ["a.b-c_d", "work", "zoo"]);
  }));
