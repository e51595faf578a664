// SPDX-License-Identifier: GPL-2.0-or-later
/** A daemon that starts names an upgrade that was cut off, and none that is under way. @module */

import { assertEquals, assertRejects } from "@std/assert";
import { ConfigError } from "../../../shared/cli/program.ts";
import { releaseLock, tryLock } from "../../../shared/io/file_lock.ts";
import { type UpgradeRecord, writeUpgrade } from "../../../dom0/upgrade/record.ts";
import { unfinishedUpgrade } from "../../../dom0/upgrade/unfinished.ts";
import { dom0Paths } from "../../../dom0/settings/paths.ts";
import { withFolder } from "../fixture.ts";

const RECORD: UpgradeRecord = {
  way: "forward",
  step: "install",
  kind: "archive",
  files: [],
  from: "1.0",
  formats: {},
  wasRunning: true,
  touched: true,
  startedAt: "2026-11-22T09:15:00.000Z",
  by: "ann",
  failure: null,
};

Deno.test("said: cut off in a step; not said: none, over, or a living one that starts the daemon", () =>
  withFolder(async (root) => {
    const paths = dom0Paths(root);
    assertEquals(await unfinishedUpgrade(paths), null);
    await Deno.mkdir(paths.upgradeFolder, { recursive: true });
    await writeUpgrade(paths, RECORD);
    const cutOff = (step: string) =>
      `an upgrade stopped at the step "${step}": "qvm-remote-dom0 upgrade --resume" goes on, ` +
      '"qvm-remote-dom0 upgrade --rollback" goes back';
    assertEquals(await unfinishedUpgrade(paths), cutOff("install"));
    await writeUpgrade(paths, { ...RECORD, step: "start" });
    const folder = await Deno.open(paths.upgradeFolder, { read: true });
    await tryLock(folder);
    assertEquals(await unfinishedUpgrade(paths), null);
    releaseLock(folder);
    assertEquals(await unfinishedUpgrade(paths), cutOff("start"));
    await writeUpgrade(paths, { ...RECORD, step: "done" });
    assertEquals(await unfinishedUpgrade(paths), null);
    await Deno.writeTextFile(paths.upgradeFile, '{"version":2}\n');
    await assertRejects(() => unfinishedUpgrade(paths), ConfigError, "is in version 2");
  }));
