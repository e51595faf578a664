// SPDX-License-Identifier: GPL-2.0-or-later
/** The page of recipes, typed line by line into a simulated Qubes, and what must come of them. */
import { assertEquals } from "@std/assert";
import { install } from "./installed.ts";
import { commandsOf, typeUntilWell, writeProgram } from "./typing.ts";

const AGENT = "agent";
const PLACES = { "# in dom0:": "dom0", "# in the agent VM:": AGENT };

/** What a line must print, in the end: rules are taken up a moment after they were written. */
const PRINTS: readonly (readonly [line: RegExp, output: RegExp])[] = [
  [/ops$/, /^vm\.list +monitor +allow .*^vm\.start +manage +ask /ms],
  [/--explain qvm-start work$/, /^operation +vm\.start\ndecision +ask\n/],
  [/pending$/, /^Nothing waits/],
  [/policy explain agent -- qvm-start work$/, /50-agent\.policy:2/],
  [/deployed in/, /^deployed in dom0\n$/],
];

Deno.test("policies/RECIPES.md: every line does what it says", async (t) => {
  await using qubes = await install([
    { name: AGENT },
    { name: "work" },
    { name: "vault" },
    { name: "fedora", klass: "TemplateVM", running: false },
  ]);
  const { world } = qubes;
  writeProgram(`${world.dom0Bin}/sudo`, '#!/bin/sh\nexec "$@"\n');
  assertEquals((await qubes.client(AGENT, ["key", "gen"])).code, 0);
  const { stdout: fingerprint } = await qubes.client(AGENT, ["key", "fingerprint"]);
  const daemon = await qubes.startDaemon([]);
  let isAlone = false; // from the second recipe on it sees one qube
  for (const { place, text: typed } of await commandsOf({ page: "policies/RECIPES.md" }, PLACES)) {
    const line = typed.replaceAll(/ +#.*$/gm, "");
    const text = line.replaceAll("/etc/", `${world.dom0Root}/etc/`)
      .replaceAll("/srv/", `${Deno.realPathSync(world.folder)}/srv/`)
      .replace("--fetch", `--fetch --fingerprint ${fingerprint.trim()}`); // which a person compares
    isAlone ||= line.startsWith("qvm-tags");
    const [, output = isAlone && line.endsWith("--raw-list") ? /^work\n$/ : /^/] =
      PRINTS.find(([one]) => one.test(line)) ?? [];
    const isWell = await t.step(`${place}$ ${line.split("\n", 1)[0]}`, async () => {
      await typeUntilWell(world, { place, text }, (stdout) => output.test(stdout));
    });
    if (!isWell) break; // what comes after it needs it
  }
  await daemon.stop();
});
