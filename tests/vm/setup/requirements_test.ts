// SPDX-License-Identifier: GPL-2.0-or-later
/** What a VM must have: where the lines are, and what is said on the other side of them. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { distributionOf } from "../../../vm/setup/distribution.ts";
import {
  diskProblem,
  isNodeGoodEnough,
  memoryProblem,
  networkProblem,
  npmProblem,
} from "../../../vm/setup/requirements.ts";

Deno.test("Node: 24.16 and later of 24, 26.1 and later", () => {
  const good = ["v24.16.0", "v24.21.0\n", "v26.1.0", "v27.0.0"];
  const bad = ["v24.15.9", "v25.3.0", "v26.0.1", "v20.20.2", "v8.1.0", "24.21.0", "", "v24", "x"];
  assertEquals(good.filter((text) => !isNodeGoodEnough(text)), []);
  assertEquals(bad.filter(isNodeGoodEnough), []);
});

Deno.test("memory: what it has now, or what balancing may give it", () => {
  const mib = 1024;
  assertEquals(memoryProblem(3900 * mib, undefined), undefined);
  assertEquals(memoryProblem(2000 * mib, 6000 * mib), undefined);
  assertEquals(memoryProblem(400 * mib, 4000 * mib), undefined);
  assertStringIncludes(memoryProblem(400 * mib, 3999 * mib)?.text ?? "", "3999 MiB");
  assertStringIncludes(memoryProblem(0, undefined)?.hints.join() ?? "", "qvm-prefs VM maxmem 4000");
});

Deno.test("disk: 2 GB, and which volume to enlarge", () => {
  assertEquals(diskProblem(2e9, "/usr/lib"), undefined);
  assertStringIncludes(diskProblem(1.9e9, "/usr/lib/x")?.hints.join() ?? "", "VM:root");
  assertStringIncludes(
    diskProblem(0, "/home/user/.local/lib/x")?.hints.join() ?? "",
    "VM:private",
  );
});

Deno.test("the command that brings npm is of this distribution, and of the right VM", () => {
  const fedora = distributionOf('NAME="Fedora Linux"\nID=fedora\n');
  const kicksecure = distributionOf("ID=kicksecure\nID_LIKE=debian\n");
  assertEquals(npmProblem("standalone", fedora).hints, ["sudo dnf install nodejs-npm"]);
  assertStringIncludes(npmProblem("app", kicksecure).hints.join(), "in the template");
  assertStringIncludes(npmProblem("app", kicksecure).hints.join(), "apt install");
  assertEquals(distributionOf("ID=plan9\n").name, "Fedora");
  assertEquals(distributionOf('ID="ubuntu"\nID_LIKE="debian"\n').name, "Debian");
});

Deno.test("no network: another next step for each kind of VM", () => {
  const said = (["app", "standalone", "template"] as const).flatMap((kind) =>
    [true, false].map((hasNetvm) => networkProblem(kind, hasNetvm).hints.join())
  );
  assert(said[1]?.includes("install in the template"));
  assert(said[3]?.includes("qvm-prefs VM netvm sys-firewall"));
  assert(said[0]?.includes("firewall"));
});
