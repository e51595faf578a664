// SPDX-License-Identifier: GPL-2.0-or-later
/** Dividing a cgroup: what is moved, what is ended, what is refused. @module */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CgroupError, cgroupGroups } from "../../../dom0/run/cgroup_groups.ts";
import { limitsText } from "../../../dom0/run/group_choice.ts";
import { PREPARE_CGROUPS } from "../../../dom0/run/warden.ts";
import { freshCgroup, type TestCgroup, WHY_NO_CGROUP } from "../../cgroup.ts";
import { processesWith, withFolder } from "../fixture.ts";

const TOTALS = { maxTotalProcesses: 100, maxTotalMemoryBytes: 2 ** 28 };

function inCgroup(name: string, test: (cgroup: TestCgroup) => Promise<void>): void {
  Deno.test({
    name: `cgroup groups: ${name}${WHY_NO_CGROUP}`,
    ignore: WHY_NO_CGROUP !== "",
    async fn() {
      const cgroup = freshCgroup();
      assert(cgroup !== null);
      try {
        await test(cgroup);
      } finally {
        await cgroup.remove();
      }
    },
  });
}

/** A shell in the cgroup that stands for the daemon: it prepares its own, and says where all are. */
async function prepareIn({ folder }: TestCgroup, before = ""): Promise<string> {
  const text = `echo 0 >"$1/cgroup.procs" || exit
${before}
/bin/bash -c "$2" prepare "" 100 268435456 $$
echo "code $?"
sed -n 's/^0:://p' /proc/self/cgroup
cat "$1/cgroup.procs"`;
  const { stdout, stderr } = await new Deno.Command("/bin/bash", {
    args: ["-c", text, "daemon", folder, PREPARE_CGROUPS],
    stdin: "null",
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

inCgroup(
  "the daemon and the bash that prepares move out of it, so that none is left",
  async (cgroup) => {
    const said = await prepareIn(cgroup);
    const name = cgroup.folder.slice(cgroup.folder.lastIndexOf("/"));
    assertStringIncludes(said, `${cgroup.folder}\ncode 0\n${name}/daemon\n`);
    assert(said.endsWith(`${name}/daemon\n`), said); // and no process number
  },
);

inCgroup("the daemon's other children move, too", async (cgroup) => {
  const said = await prepareIn(cgroup, "sleep 30 &\nchild=$!\ntrap 'kill $child' EXIT");
  assertStringIncludes(said, "\ncode 0\n");
  assert(said.endsWith("/daemon\n"), said);
});

inCgroup(
  "a cgroup that others are in is not divided, and nothing is made in it",
  async (cgroup) => {
    const other = new Deno.Command("sleep", { args: ["30"] }).spawn();
    try {
      Deno.writeTextFileSync(`${cgroup.folder}/cgroup.procs`, String(other.pid));
      const said = await prepareIn(cgroup);
      assertStringIncludes(said, `process ${other.pid} is in ${cgroup.folder} and none of process`);
      assertStringIncludes(said, "code 1\n");
      const made = [...Deno.readDirSync(cgroup.folder)].filter(({ isDirectory }) => isDirectory);
      assertEquals(made, []);
    } finally {
      other.kill();
      await other.status;
    }
  },
);

inCgroup("what an earlier daemon left in it is ended, however deep", async (cgroup) => {
  const deep = `${cgroup.folder}/commands/7/nested`;
  Deno.mkdirSync(deep, { recursive: true });
  const seconds = `9${Math.floor(1e8 + Math.random() * 9e8)}`;
  const left = new Deno.Command("sleep", { args: [seconds] }).spawn();
  Deno.writeTextFileSync(`${deep}/cgroup.procs`, String(left.pid));
  assertStringIncludes(await prepareIn(cgroup), "\ncode 0\n");
  assertEquals((await left.status).signal, "SIGKILL");
  assertEquals(processesWith(seconds), []);
  const commands = [...Deno.readDirSync(`${cgroup.folder}/commands`)];
  assertEquals(commands.filter(({ isDirectory }) => isDirectory), []);
});

Deno.test("cgroup groups: a folder that is no cgroup is refused, and nothing is made in it", () =>
  withFolder(async (folder) => {
    await assertRejects(() => cgroupGroups(folder, TOTALS), CgroupError, "no cgroup.kill");
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("limits: what is in force is one line for people", () => {
  assertEquals(
    [
      limitsText({ processes: "kernel", memory: "kernel" }),
      limitsText({ processes: "watched", memory: "none" }),
      limitsText({ processes: "none", memory: "none" }),
    ],
    [
      "limits of commands: processes enforced by the kernel, memory enforced by the kernel",
      "limits of commands: processes watched, memory NOT ENFORCED",
      "limits of commands: processes NOT ENFORCED, memory NOT ENFORCED (no cgroups: --no-cgroup)",
    ],
  );
});
