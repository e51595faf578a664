// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Upgrades of dom0 by its own program, from one release to the next, with requests under way all the time:
 * each is killed in another step, gone on with or taken back, and every request runs exactly once.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { authorize, type Dom0Machine } from "../machine/qubes_machine.ts";
import type { Finished } from "../machine/machine.ts";
import { rpmFile } from "./dist.ts";
import { bootWith, filesInside } from "./fedora.ts";

const NAMES = ["qubes-claw-runtime", "qvm-remote-dom0"];
const UNIT = "qvm-remote-dom0.service";
const STATE = "/var/lib/qvm-remote/upgrade/state.json";

/** This machine is a Debian: what a Fedora's packages need is not known to its rpm. */
const RPM = `cat >/usr/local/sbin/rpm <<'END'
#!/bin/sh
case $1 in --upgrade) shift; set -- --upgrade --nodeps "$@" ;; esac
exec /usr/bin/rpm "$@"
END
chmod 755 /usr/local/sbin/rpm`;

/** Both releases, with their hashes: the SHA256SUMS of a "make dist" has those of one. */
const RELEASES = "/var/tmp/releases";
const BRING = `mkdir ${RELEASES}
cd ${RELEASES}
ln -s ${filesInside(NAMES, 1)} ${filesInside(NAMES, 2)} .
sha256sum *.rpm >SHA256SUMS`;
const filesOf = (release: number): string =>
  NAMES.map((name) => `${RELEASES}/${rpmFile(name, release)}`).join(" ");

/** Requests, three at a time, until the file is gone: each writes its number, in dom0, when it runs. */
const REQUESTS = `
  one() { qvm-remote "echo $1 >>/var/tmp/ran; sleep 0.2; echo $1" >out-$1 2>err-$1; echo "$1 $?" >>ended; }
  n=0
  touch on
  while [ -e on ]; do
    for _ in 1 2 3; do n=$((n + 1)); one $n & done
    wait
  done
  echo $n >sent`;

interface Scene {
  readonly dom0: Dom0Machine;
  release(): Promise<number>;
  upgrade(words: string, input?: string): Promise<Finished>;
  /** Starts an upgrade to a release, and kills it as soon as it is in that step. */
  killAt(step: string, release: number): Promise<void>;
}

function sceneOn(dom0: Dom0Machine): Scene {
  const upgrade: Scene["upgrade"] = (words, input = "") =>
    dom0.run(`qvm-remote-dom0 upgrade ${words}`, { input });
  return {
    dom0,
    async release() {
      const said = await dom0.good(`rpm --query --queryformat '%{RELEASE} ' ${NAMES.join(" ")}`);
      const [first, second] = said.trim().split(" ");
      assertEquals(first, second);
      return Number(first);
    },
    upgrade,
    async killAt(step, release) {
      await dom0.good(`
        echo unsigned | qvm-remote-dom0 upgrade --wait ${filesOf(release)} >/tmp/said 2>&1 &
        pid=$!
        until grep -q '"step":"${step}"' ${STATE}; do
          kill -0 $pid || { cat /tmp/said >&2; exit 1; }
        done
        kill -9 $pid
        ! wait $pid`);
      const { code, stderr } = await upgrade("");
      assertEquals(code, 1);
      assertStringIncludes(stderr, `an upgrade stopped at the step "${step}"`);
    },
  };
}

/** What is there is whole: only what was edited differs from its package, and the daemon runs. */
async function expectWhole({ dom0, release, upgrade }: Scene, wanted: number): Promise<void> {
  assertEquals(await release(), wanted);
  const differs = (await dom0.run(`rpm --verify --nodeps ${NAMES.join(" ")}`)).stdout;
  assertEquals(differs.trimEnd().split("\n").map((line) => line.slice(9)), [
    "  c /etc/qubes/remote.conf",
  ]);
  assertEquals(await dom0.good(`systemctl is-active ${UNIT}`), "active\n");
  assertEquals((await upgrade("")).code, 0);
}

Deno.test("upgraded from the release before: killed in each step, taken back, broken; no request is lost", async (t) => {
  await using dom0 = await bootWith(NAMES);
  const scene = sceneOn(dom0);
  const { upgrade, killAt } = scene;
  await dom0.good(RPM);
  await dom0.good(BRING);
  await authorize(dom0, "work");
  await dom0.good("qvm-remote-dom0 enable", { input: "yes\n" });
  const requests = dom0.inVm("work", REQUESTS);
  await dom0.until("[ -s /var/tmp/ran ]");

  await t.step("without --wait it says what runs, and nothing is changed", async () => {
    await dom0.until(`
      echo unsigned | qvm-remote-dom0 upgrade ${filesOf(2)} 2>&1 |
        grep 'not upgraded, and nothing was changed: this still runs: work '`);
    await expectWhole(scene, 1);
  });
  await t.step("nobody signed it: without that word nothing is done", async () => {
    const { code, stdout, stderr } = await upgrade(`--yes ${filesOf(2)}`, "yes\n");
    assertEquals(code, 1);
    assertMatch(stdout, /sha256 [0-9a-f]{64}, as SHA256SUMS says/);
    assertStringIncludes(stdout, "Signed: by nobody: the packages have no signature");
    assertStringIncludes(stderr, "not upgraded");
  });
  for (
    const [step, release, word] of [
      ["keep", 2, "resume"],
      ["stop", 2, "resume"],
      ["install", 1, "rollback"],
      ["try", 2, "rollback"],
      ["start", 1, "resume"],
      ["check", 2, "rollback"],
      ["install", 2, "resume"],
    ] as const
  ) {
    await t.step(`killed at "${step}", then --${word}`, async () => {
      const before = await scene.release();
      await killAt(step, release);
      const { code, stdout, stderr } = await upgrade(`--wait --${word}`);
      assertEquals(code, 0, stdout + stderr);
      await expectWhole(scene, word === "resume" ? release : before);
    });
  }
  await t.step(
    "new programs that do not work are taken back at once, and it is on record",
    async () => {
      await dom0.good("touch /run/broken");
      // The launcher of the new release is what fails: as if its runtime did not start on this machine.
      await dom0.good(`mv /usr/local/sbin/rpm /usr/local/sbin/rpm.good
      cat >/usr/local/sbin/rpm <<'END'
#!/bin/sh
/usr/local/sbin/rpm.good "$@" || exit
case "$*" in *--upgrade*/new/*) [ "$2" = --test ] || printf '#!/bin/sh\\nexit 1\\n' >/usr/bin/qvm-remote-dom0 ;; esac
END
      chmod 755 /usr/local/sbin/rpm`);
      const { code, stderr } = await upgrade(`--wait ${filesOf(1)}`, "unsigned\n");
      assertEquals(code, 1);
      assertMatch(stderr, /not upgraded, 2\.0\.0 is back: try: /);
      await dom0.good("mv /usr/local/sbin/rpm.good /usr/local/sbin/rpm");
      await expectWhole(scene, 2);
      await dom0.good("journalctl -t qvm-remote-dom0 | grep 'upgrade: 2.0.0 is back'");
      assertStringIncludes(
        await dom0.good("qvm-remote-dom0 audit show -n 500"),
        "going back to 2.0.0",
      );
    },
  );
  await t.step("taken back later, once", async () => {
    const first = await upgrade(`--wait ${filesOf(1)}`, "unsigned\n");
    assertEquals(first.code, 0, first.stderr);
    assertEquals((await upgrade("--wait --rollback")).code, 0);
    await expectWhole(scene, 2);
    const again = await upgrade("--rollback");
    assertEquals([again.code, again.stderr.includes("was taken back already")], [1, true]);
  });
  await t.step("every request ran once, and got its own answer", async () => {
    const vm = "/var/lib/qsim/vms/work/home/user";
    await dom0.good(`rm ${vm}/on`);
    const { code, stderr } = await requests;
    assertEquals(code, 0, stderr);
    const sent = Number(await dom0.good(`cat ${vm}/sent`));
    const numbers = Array.from({ length: sent }, (_, index) => index + 1);
    assert(sent > 20, `only ${sent} requests`);
    const ended = (await dom0.good(`cat ${vm}/ended`)).trim().split("\n");
    assertEquals(
      ended.filter((line) => !line.endsWith(" 0")),
      [],
      await dom0.good(`cat ${vm}/err-*`),
    );
    assertEquals(ended.length, sent);
    const ran = (await dom0.good("sort -n /var/tmp/ran")).trim().split("\n").map(Number);
    assertEquals(ran, numbers);
    assertMatch(await dom0.good("qvm-remote-dom0 audit verify"), /good|ok|unchanged|intact/i);
  });
  await t.step("erased: what is left is what is said", async () => {
    await dom0.good(`/usr/bin/rpm --nodeps --erase ${NAMES.join(" ")}`);
    assertEquals(await dom0.good("find /usr -path '*qubes-claw*' -o -name 'qvm-remote*'"), "");
    assertEquals(
      await dom0.good("stat -c '%a %U:%G %n' /etc/qubes /etc/qubes-rpc"),
      "2775 root:qubes /etc/qubes\n2775 root:qubes /etc/qubes-rpc\n",
    );
  });
});
