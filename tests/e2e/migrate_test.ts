// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * From the Python original to this project, over the simulated Qubes: a VM goes on with the key that
 * it had, and where it was root a person is asked. The programs are the real ones.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { makeAuthKeyText, parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { writeExecutable } from "../executable.ts";
import { installOriginalDom0, installOriginalVm, ORIGINAL_UNITS } from "../original.ts";
import { finish, type Finished, install, type Installed, until } from "./installed.ts";

const KEY = makeAuthKeyText();
const UNITS = Object.keys(ORIGINAL_UNITS).map((path) => path.slice(path.lastIndexOf("/") + 1))
  .filter((unit) => unit !== "qubes-admin-watchdog.service");

/** The original in dom0 and in the VM "work", with this project's programs put over it. */
async function installOver(qubes: Installed): Promise<void> {
  const { world } = qubes;
  const root = world.dom0Root;
  const own = await Deno.readTextFile(`${root}/etc/qubes/remote.conf`); // PATH of the commands
  const config = `QUBES_REMOTE_VMS="work ghost"\n${own}`;
  await installOriginalDom0(root, { keys: { work: KEY, ghost: makeAuthKeyText() }, config });
  await installOriginalVm(world.vmHome("work"), { key: KEY, folder: ".qubes-remote" });
  await Deno.writeTextFile(`${root}/usr/bin/qvm-remote-dom0`, "#!/bin/sh\n");
  for (const unit of UNITS) await systemctl(qubes, "enable", "--now", unit);
}

async function systemctl({ world }: Installed, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(`${world.dom0Bin}/systemctl`, {
    args,
    clearEnv: true,
    env: world.dom0Env(),
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

async function unitStates(qubes: Installed): Promise<readonly string[]> {
  return await Promise.all(
    UNITS.flatMap((unit) =>
      ["is-active", "is-enabled"].map((verb) => systemctl(qubes, verb, unit))
    ),
  );
}

function assertNothingOn(states: readonly string[]): void {
  assertEquals(states.filter((state) => state === "active" || state === "enabled"), []);
}

async function good(ending: Promise<Finished>): Promise<string> {
  const { code, stdout, stderr } = await ending;
  assertEquals(code, 0, stderr);
  return stdout;
}

Deno.test("migrate: a VM of the original keeps its key, and a person is asked", async (t) => {
  await using qubes = await install([{ name: "work" }]);
  await installOver(qubes);
  const before = await unitStates(qubes);
  const { fingerprint } = await parseAuthKey(KEY);

  await t.step("in dom0: it says what it would do, then does it", async () => {
    const said = await good(qubes.dom0(["migrate"]));
    assertStringIncludes(said, `key of work: ${fingerprint}`);
    assertMatch(said, /ghost\.key\n {4}there is no qube of that name/);
    assertEquals(await unitStates(qubes), before);
    await good(qubes.dom0(["migrate", "--apply"]));
    assertNothingOn(await unitStates(qubes));
    assertStringIncludes(await good(qubes.dom0(["keys"])), fingerprint);
  });
  await t.step("in the VM, too", async () => {
    assertStringIncludes(await good(qubes.client("work", ["migrate"])), "rename the folder");
    await good(qubes.client("work", ["migrate", "--apply"]));
    assertEquals(await good(qubes.client("work", ["key", "fingerprint"])), `${fingerprint}\n`);
  });

  const daemon = await qubes.startDaemon(["work"]);
  await t.step(
    "the VM reads at once; for a command a person is asked, and then it runs",
    async () => {
      assertStringIncludes(await good(qubes.client("work", ["qvm-ls", "--raw-list"])), "work");
      const running = finish(qubes.spawnClient("work", ["-c", "echo $((6 * 7))"]));
      let number = 0;
      await until("it waits for a person", async () => {
        const [first] = JSON.parse(await good(qubes.dom0(["pending", "--json"])));
        number = first?.number ?? 0;
        return number > 0;
      });
      await good(qubes.dom0(["approve", String(number), "--yes"]));
      const { code, stdout, stderr } = await running;
      assertEquals([code, stdout], [0, "42\n"], stderr);
    },
  );
  assertEquals(await daemon.stop(), 0);

  await t.step("back: without the original's program its units are not started", async () => {
    const { code, stdout } = await qubes.dom0(["migrate", "--undo"]);
    assertEquals(code, 1);
    assertMatch(stdout, /NOT DONE: start qvm-remote-dom0\.service: it would start /);
    await Deno.writeTextFile(
      `${qubes.world.dom0Root}/usr/bin/qvm-remote-dom0`,
      "#!/usr/bin/python3\n",
    );
    await good(qubes.dom0(["migrate", "--undo"]));
    assertEquals(await unitStates(qubes), before);
    await good(qubes.client("work", ["migrate", "--undo"]));
    const home = qubes.world.vmHome("work");
    assertEquals(await Deno.readTextFile(`${home}/.qubes-remote/auth.key`), KEY);
  });
});

/** From now on the nth change of a unit kills who asks for it, before or after it is done. */
function killAt({ world }: Installed, n: number, moment: "before" | "after"): void {
  const [tool, count] = [`${world.dom0Bin}/systemctl`, `${world.dom0Root}/count`];
  writeExecutable(
    tool,
    `#!/bin/sh
case $1 in is-*) exec ${tool}.real "$@" ;; esac
echo x >>${count}
[ "$(wc -l <${count})" = ${n} ] || exec ${tool}.real "$@"
[ ${moment} = before ] || ${tool}.real "$@"
kill -KILL $PPID
`,
  );
}

Deno.test("migrate: killed while it stops units and while it starts them, it goes on", async () => {
  await using qubes = await install([{ name: "work" }]);
  await installOver(qubes);
  const { dom0Bin, dom0Root } = qubes.world;
  await Deno.rename(`${dom0Bin}/systemctl`, `${dom0Bin}/systemctl.real`);
  killAt(qubes, 0, "before");
  const before = await unitStates(qubes);
  for (const [n, moment] of [[1, "after"], [4, "before"], [7, "before"]] as const) {
    for (const word of ["--apply", "--undo"]) {
      const isBack = word === "--undo";
      const first = isBack ? "#!/usr/bin/python3\n" : "#!/bin/sh\n";
      await Deno.writeTextFile(`${dom0Root}/usr/bin/qvm-remote-dom0`, first);
      await Deno.remove(`${dom0Root}/count`).catch(() => {});
      killAt(qubes, n, moment);
      const killed = await qubes.dom0(["migrate", word]);
      assert(killed.code > 128, `${word} ${n}: ${killed.code} ${killed.stdout}${killed.stderr}`);
      killAt(qubes, 0, "before");
      await good(qubes.dom0(["migrate", word]));
      const states = await unitStates(qubes);
      if (isBack) assertEquals(states, before, `killed at ${n}`);
      else assertNothingOn(states);
    }
  }
});
