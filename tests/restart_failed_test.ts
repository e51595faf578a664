// SPDX-License-Identifier: GPL-2.0-or-later
/** The optional watchdog: starts again what has failed, and overrides no decision of the operator's. @module */

import { assertEquals, assertMatch } from "@std/assert";
import { PROJECT } from "./e2e/program_flags.ts";
import { writeExecutable } from "./executable.ts";

interface FakeUnit {
  readonly enabled: string;
  readonly status: number;
}

/** @param failed by name; in their order systemd lists them @returns what systemctl was told to do, and what was printed */
async function watch(
  failed: Readonly<Record<string, FakeUnit>>,
): Promise<{ readonly did: readonly string[]; readonly printed: string }> {
  const folder = await Deno.makeTempDir();
  try {
    const names = Object.keys(failed);
    const cases = (of: (unit: FakeUnit) => string | number): string =>
      names.map((name) => `${name}) echo '${of(failed[name] ?? { enabled: "", status: 0 })}' ;;`)
        .join("\n");
    writeExecutable(
      `${folder}/systemctl`,
      `#!/bin/sh
for last; do :; done
case $1 in
list-units) printf '%s loaded failed failed x\\n' ${names.join(" ")} | grep -v '^ ' || : ;;
is-enabled) case $last in
${cases(({ enabled }) => enabled)}
esac ;;
show) case $last in
${cases(({ status }) => status)}
esac ;;
*) echo "$*" >>${folder}/did ;;
esac
`,
    );
    await Deno.writeTextFile(`${folder}/did`, "");
    const { success, stdout, stderr } = await new Deno.Command(
      `${PROJECT}/dom0/packaging/restart-failed`,
      { clearEnv: true, env: { PATH: `${folder}:/usr/bin:/bin` } },
    ).output();
    const text = new TextDecoder();
    assertEquals([success, text.decode(stderr)], [true, ""]);
    const did = (await Deno.readTextFile(`${folder}/did`)).split("\n").filter((line) =>
      line !== ""
    );
    return { did, printed: text.decode(stdout) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const WEB = "qubes-global-admin-web.service";
const TUNNEL = "openclaw-tunnel@18789.service";

Deno.test("what is enabled and has failed is started again, each on its own", async () => {
  const { did, printed } = await watch({
    [WEB]: { enabled: "enabled", status: 1 },
    [TUNNEL]: { enabled: "enabled", status: 9 },
  });
  assertEquals(
    did,
    [WEB, TUNNEL].flatMap((unit) => [
      `reset-failed -- ${unit}`,
      `start --no-block -- ${unit}`,
    ]),
  );
  assertMatch(printed, /qubes-global-admin-web\.service: has failed; starting it again/);
});

Deno.test("what is disabled, masked or only started for now is left as it is", async () => {
  for (const enabled of ["disabled", "masked", "enabled-runtime", "static"]) {
    assertEquals((await watch({ [WEB]: { enabled, status: 1 } })).did, [], enabled);
  }
  assertEquals((await watch({})).did, [], "nothing has failed");
});

Deno.test("a bad configuration is not tried again, and it says so", async () => {
  const { did, printed } = await watch({
    "qvm-remote-dom0.service": { enabled: "enabled", status: 78 },
    [WEB]: { enabled: "enabled", status: 1 },
  });
  assertEquals(did.length, 2);
  assertMatch(printed, /qvm-remote-dom0\.service: not started again: its configuration is bad/);
});
