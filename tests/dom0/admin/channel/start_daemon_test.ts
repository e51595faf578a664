// SPDX-License-Identifier: GPL-2.0-or-later
/** The daemon is asked for by a file, and nothing is left of it. */

import { assertEquals, assertRejects } from "@std/assert";
import { startDaemon } from "../../../../dom0/admin/channel/start_daemon.ts";
import { Dom0Error } from "../../../../dom0/admin/channel/dom0_channel.ts";
import { isPresent } from "../../../../shared/io/sync_files.ts";
import { withFolder } from "../../fixture.ts";

Deno.test("what waits for the file finds it, and the daemon runs", () =>
  withFolder(async (folder) => {
    const file = `${folder}/start-daemon`;
    let looks = 0;
    await startDaemon(file, () => {
      looks++;
      return Promise.resolve(looks > 2 && isPresent(file)); // as systemd would, a moment later
    });
    assertEquals(looks, 3);
  }));

Deno.test("a daemon that runs is not asked for; of one that does not start, no file is left", () =>
  withFolder(async (folder) => {
    const file = `${folder}/start-daemon`;
    const start = (isRunning: boolean): Promise<void> =>
      startDaemon(file, () => Promise.resolve(isRunning), 50);
    await assertRejects(() => start(true), Dom0Error, "runs already");
    assertEquals(isPresent(file), false);
    await assertRejects(() => start(false), Dom0Error, "systemctl status");
    assertEquals(isPresent(file), false);
  }));
