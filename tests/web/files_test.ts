// SPDX-License-Identifier: GPL-2.0-or-later
/** Files between dom0 and qubes, in a browser: two steps, a bar while it runs, and both sums at the end. */

import { assertEquals } from "@std/assert";
import { type OpenPage, startBrowser } from "./browser_scene.ts";
import { SHA256 } from "../dom0/admin/fake_files.ts";

const FETCHED = {
  ...{ file: "/home/user/QubesIncoming/work/report.pdf", in: "dom0", bytes: "20971520" },
  ...{ sha256_of_source: SHA256, sha256_of_copy: SHA256, compared: "equal" },
};

/** axe, a screenshot, and nothing that the browser complains of. */
async function lookAt(open: OpenPage, name: string): Promise<void> {
  await open.shoot(name);
  assertEquals(await open.violations(), [], name);
  assertEquals(open.complaints, [], name);
}

Deno.test("a file of a qube comes into dom0 in two steps: choose the qube, copy", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  dom0.runs.isHeld = true;
  await using open = await scene.open("/files");
  const { page } = open;
  await page.selectOption("#vm", "work");
  await page.click("text=Go");
  await page.waitForSelector("#files >> text=report.pdf");
  await page.click("tr:has-text('report.pdf') >> text=Copy to dom0");
  await page.waitForSelector("#run >> text=Running");
  const run = dom0.runs.all.at(-1);
  run?.print("progress 0 20971520 0\n", 2);
  await page.waitForSelector("#progress >> text=its SHA-256 is computed: 21.0 MB");
  run?.print("progress 4194304 20971520 2\n", 2);
  await page.waitForSelector("#progress >> text=4.2 MB of 21.0 MB, 20 %, 2.1 MB/s, 8 s left");
  await lookAt(open, "files-running-light");
  await page.reload();
  await page.waitForSelector("#progress >> text=20 %");
  assertEquals(await page.locator("#output >> text=progress").count(), 0, "it is no output");
  run?.print("progress 20971520 20971520 9\n", 2);
  await page.waitForSelector("#progress >> text=21.0 MB of 21.0 MB, 100 %, 2.3 MB/s");
  run?.finish({ value: FETCHED });
  await page.waitForSelector("#run >> text=The same at both ends");
  assertEquals(await page.locator(`#run dd >> text=${SHA256}`).count(), 2);
  await lookAt(open, "files-done-light");
  await page.click("text=Its folder");
  await page.waitForSelector("#files >> text=no such folder");
});

Deno.test("a copy is cancelled by Esc; one that fails says why, beside what was filled in", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  dom0.runs.isHeld = true;
  await using open = await scene.open("/files?vm=work&to=research");
  const { page } = open;
  await page.click("tr:has-text('build.log') >> text=Copy to research");
  await page.waitForSelector("#run >> text=Running");
  dom0.runs.all.at(-1)?.print("progress 1048576 1048576000 1\n", 2);
  await page.waitForSelector("#progress >> text=16 min left");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#run >> text=Cancelled");
  assertEquals(await page.locator("#progress").count(), 0);
  for (const why of ["there is something of that name in dom0: /home/user/x", "no room: it has"]) {
    await open.go("/files?vm=work&into=/home/user");
    await page.click("tr:has-text('build.log') >> text=Copy to dom0");
    await page.waitForSelector("#run >> text=Running");
    const run = dom0.runs.all.at(-1);
    run?.print(`${why}\n`, 2);
    run?.finish({ exitCode: 1 });
    await page.waitForSelector("#run >> text=Failed, exit 1");
    await page.waitForSelector(`#output .err >> text=${why}`);
  }
  assertEquals(await page.inputValue("#v-path"), "/home/user/build.log");
  await lookAt(open, "files-failed-light");
});

Deno.test("a file of dom0 is sent to the qube that is chosen, into a folder found by clicking", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  await using open = await scene.open("/files?path=/home/user");
  const { page } = open;
  assertEquals(await page.locator("text=Copy to").count(), 0, "no qube is chosen");
  await page.selectOption("#to", "work");
  await page.click("text=Set");
  await page.click("text=Choose another folder…");
  await page.click("#pick >> text=Downloads/");
  await page.click("text=Use this folder");
  await page.waitForSelector("text=Into ~/Downloads of");
  await lookAt(open, "files-chosen-light");
  await page.click("tr:has-text('release notes') >> text=Copy to work");
  await page.waitForSelector("#run >> text=The same at both ends");
  assertEquals(
    dom0.did.filter((one) => one.startsWith("run file.")),
    [
      'run file.send {"vm":"work","path":"/home/user/release notes.txt",' +
      '"to":"~/Downloads/release notes.txt"} by web s-1',
    ],
  );
  await page.goBack();
  await page.waitForSelector("text=Into ~/Downloads of");
});

Deno.test("a name full of HTML is shown as it is, and the file of that name is the one that is copied", async () => {
  await using scene = await startBrowser();
  const { dom0 } = scene.scene;
  const name = `<img src=x onerror=alert(1)> "' & $(id)`;
  dom0.qubeFolders.set("work:~", [
    { type: "f", size: 1, mode: "0600", mtime: 1_795_000_000, name },
    { type: "f", size: 1, mode: "0600", mtime: 1_795_000_000, name: "\u202efdp.exe" },
  ]);
  await using open = await scene.open("/files?vm=work");
  const { page } = open;
  assertEquals(await page.locator("#files img").count(), 0);
  assertEquals(await page.locator("#files .ctl >> text=U+202E").count() > 0, true);
  assertEquals(await page.locator("text=Copy to dom0").count(), 1);
  await page.click("text=Copy to dom0");
  await page.waitForSelector("#run >> text=Done");
  const [run] = dom0.runs.all;
  assertEquals(run?.head.values["from"], `~/${name}`);
  assertEquals(run?.head.values["path"], `/home/user/QubesIncoming/work/${name}`);
  assertEquals(open.complaints, []);
});
