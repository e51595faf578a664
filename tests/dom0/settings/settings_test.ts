// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createKeyStore } from "../../../dom0/settings/key_store.ts";
import { DEFAULT_CONFIG } from "../../../dom0/settings/config.ts";
import { dom0Paths, type Paths } from "../../../dom0/settings/paths.ts";
import { type LastGood, readSettings } from "../../../dom0/settings/settings.ts";
import { inTurn } from "../../../dom0/settings/settings_lock.ts";
import { KEY, KEY_TEXT, LAB, withFolder, WORK } from "../fixture.ts";

async function withSettings(
  run: (
    paths: Paths,
    read: (lastGood?: LastGood) => ReturnType<typeof readSettings>,
  ) => Promise<void>,
): Promise<void> {
  await withFolder(async (root) => {
    const paths = dom0Paths(root);
    await Deno.mkdir(paths.policyFolder, { recursive: true });
    const keyStore = createKeyStore(paths.keyFolder);
    await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=work lab\n");
    await keyStore.write(WORK, KEY_TEXT, false);
    await Deno.writeTextFile(`${paths.policyFolder}/50-x.policy`, "* work * allow\n");
    const options = { paths, keyStore, environment: new Map<string, string>(), onlyVms: [] };
    await run(paths, (lastGood) => readSettings(options, lastGood ?? null));
  });
}

Deno.test("settings: a VM that is listed without a key is a problem, and is not served", () =>
  withSettings(async (_, read) => {
    const { config, keys, rules, lockdown, problems } = await read();
    assertEquals(config?.vms, [WORK, LAB]);
    assertEquals([...keys.keys()], [WORK]);
    assertEquals(keys.get(WORK)?.key.fingerprint, KEY.fingerprint);
    assertEquals(rules?.length, 1);
    assertEquals(lockdown, false);
    assertEquals(problems.length, 1);
    assertStringIncludes(problems[0] ?? "", "lab: not authorised");
  }));

Deno.test("settings: a VM with a key and no rule is a problem: all that it asks for is refused", () =>
  withSettings(async (paths, read) => {
    const rules = `${paths.policyFolder}/50-x.policy`;
    await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=work\n");
    assertEquals((await read()).problems, []);
    await Deno.writeTextFile(rules, "* lab * allow\n");
    const { problems, keys } = await read();
    assertEquals(problems, [
      "work: it has a key, but no rule of the policy is for it: all is refused",
    ]);
    assertEquals([...keys.keys()], [WORK], "it is served, and hears so");
    await Deno.writeTextFile(rules, "* @anyvm * deny\n");
    assertEquals((await read()).problems, [], "somebody has decided that");
  }));

Deno.test("settings: a change of several files is read as a whole, and cannot hold a reader up", () =>
  withSettings(async (paths, read) => {
    const between = Promise.withResolvers<void>();
    const half = Promise.withResolvers<void>();
    await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=work\n");
    const changing = inTurn(paths.keyFolder, async () => {
      await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=work lab\n");
      await Deno.writeTextFile(`${paths.policyFolder}/50-lab.policy`, "* lab * allow\n");
      half.resolve();
      await between.promise;
      await createKeyStore(paths.keyFolder).write(LAB, KEY_TEXT, false);
    });
    await half.promise;
    const reading = read();
    await Deno.stat(paths.config); // a turn for it to begin
    between.resolve();
    const { problems, keys } = await reading;
    assertEquals([problems, [...keys.keys()]], [[], [WORK, LAB]]);
    await changing;
    const hanging = Promise.withResolvers<void>();
    const stuck = inTurn(paths.keyFolder, () => hanging.promise);
    assertEquals((await read()).problems, [], "read though somebody hangs in the middle");
    hanging.resolve();
    await stuck;
  }));

Deno.test("settings: a key whose VM is not listed is not used", () =>
  withSettings(async (paths, read) => {
    await createKeyStore(paths.keyFolder).write(LAB, KEY_TEXT, false);
    await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=lab\n");
    assertEquals([...(await read()).keys.keys()], [LAB]);
  }));

Deno.test("settings: a bad configuration keeps the last good one, and says the line", () =>
  withSettings(async (paths, read) => {
    const { config, rules } = await read();
    const good = config ?? DEFAULT_CONFIG;
    await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=lab\nX=1\n");
    const after = await read({ config: good, rules });
    assertEquals(after.config, good);
    assertEquals([...after.keys.keys()], [WORK]);
    assert(after.problems.some((text) => text.startsWith(`${paths.config}:2: `)));
    assertEquals((await read()).config, null, "nothing to fall back to at the start");
  }));

const KEY_FILE = "remote.d/work.key";
const POLICY_FILE = "remote-policy.d/60-y.policy";

const BROKEN: readonly {
  readonly name: string;
  readonly file: string;
  readonly make: (path: string) => Promise<void>;
  readonly served: number;
  readonly rules: boolean;
}[] = [
  {
    name: "a bad line of policy",
    ...{ file: POLICY_FILE, served: 1, rules: false },
    make: (path) => Deno.writeTextFile(path, "allow everything\n"),
  },
  {
    name: "a policy file that is too large",
    ...{ file: POLICY_FILE, served: 1, rules: false },
    make: (path) => Deno.writeTextFile(path, "#".repeat(300 * 1024)),
  },
  {
    name: "a policy file that is a dangling link",
    ...{ file: POLICY_FILE, served: 1, rules: false },
    make: (path) => Deno.symlink("nowhere", path),
  },
  {
    name: "a key that others can read",
    ...{ file: KEY_FILE, served: 0, rules: true },
    make: (path) => Deno.chmod(path, 0o640),
  },
  {
    name: "a key that is no key",
    ...{ file: KEY_FILE, served: 0, rules: true },
    make: (path) => Deno.writeTextFile(path, "secret-but-short"),
  },
  {
    name: "a key that is a folder",
    ...{ file: KEY_FILE, served: 0, rules: true },
    async make(path) {
      await Deno.remove(path);
      await Deno.mkdir(path);
    },
  },
];

for (const { name, file, make, served, rules } of BROKEN) {
  Deno.test(`settings: ${name} makes things stricter, and a lockdown holds beside it`, () =>
    withSettings(async (paths, read) => {
      await make(`${paths.config.replace("remote.conf", "")}${file}`);
      await Deno.writeTextFile(paths.lockdownFile, "");
      const settings = await read();
      assertEquals(settings.keys.size, served);
      assertEquals(settings.rules !== null, rules);
      assertEquals(settings.lockdown, true);
      assertEquals(settings.problems.length, 2, settings.problems.join("; ")); // lab has no key
      assert(!settings.problems.join().includes("secret-but-short"), "a key is in a problem");
    }));
}

for (
  const [name, make] of [
    ["too large", (path) => Deno.writeTextFile(path, "#".repeat(300 * 1024))],
    ["a folder", (path) => Deno.remove(path).then(() => Deno.mkdir(path))],
  ] as readonly (readonly [string, (path: string) => Promise<void>])[]
) {
  Deno.test(`settings: with a configuration that is ${name}, a lockdown is still seen`, () =>
    withSettings(async (paths, read) => {
      const { config, rules } = await read();
      const good = { config: config ?? DEFAULT_CONFIG, rules };
      await make(paths.config);
      await Deno.writeTextFile(paths.lockdownFile, "");
      const after = await read(good);
      assertEquals([after.config, after.lockdown], [good.config, true]);
      assert(after.problems.some((text) => text.includes("remote.conf")), after.problems.join());
    }));
}

Deno.test("settings: a bad policy leaves the last good one in force, and is a problem", () =>
  withSettings(async (paths, read) => {
    await Deno.writeTextFile(paths.config, "QVM_REMOTE_VMS=work\n");
    const { config, rules } = await read();
    assertEquals(rules?.length, 1);
    await Deno.writeTextFile(`${paths.policyFolder}/60-bad.policy`, "vm.start work * maybe\n");
    const after = await read({ config: config ?? DEFAULT_CONFIG, rules });
    assertEquals(after.rules, rules);
    assertEquals(after.problems, [
      'policy: the last good one stays in force: 60-bad.policy:1:17: expected allow, ask or deny, found "maybe"',
    ]);
  }));

Deno.test("settings: no file at all serves nobody and allows nothing", () =>
  withFolder(async (root) => {
    const paths = dom0Paths(root);
    const keyStore = createKeyStore(paths.keyFolder);
    const environment = new Map<string, string>();
    const read = await readSettings({ paths, keyStore, environment, onlyVms: [] }, null);
    assertEquals([read.config, read.keys.size, read.rules], [DEFAULT_CONFIG, 0, []]);
    assertEquals([read.lockdown, read.problems], [false, []]);
    const only = await readSettings({ paths, keyStore, environment, onlyVms: [WORK] }, null);
    assertEquals(only.config?.vms, [WORK]);
    assertEquals(only.keys.size, 0, "--vm needs a key like any other");
  }));
