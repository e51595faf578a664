// SPDX-License-Identifier: GPL-2.0-or-later
/** Open pages hear of each change of the daemon's files, and of those that the watch cannot name. @module */

import { assertEquals } from "@std/assert";
import { createDaemonChannel } from "../../../../dom0/admin/channel/daemon_channel.ts";
import { dom0Paths } from "../../../../dom0/settings/paths.ts";
import { withFolder } from "../../fixture.ts";

Deno.test("a request that comes or goes is told, and so is a change that may be any", () =>
  withFolder(async (root) => {
    const paths = dom0Paths(root);
    for (const folder of [paths.adminFolder, paths.parkedFolder, paths.plansFolder]) {
      await Deno.mkdir(folder, { recursive: true });
    }
    const channel = createDaemonChannel(paths);
    try {
      let told = Promise.withResolvers<void>();
      const next = async (): Promise<void> => {
        await told.promise;
        told = Promise.withResolvers<void>();
      };
      channel.watch(() => told.resolve());
      await next(); // the watch has begun
      const file = `${paths.parkedFolder}/work-1.json`;
      await Deno.writeTextFile(`${file}.new`, "{}");
      await Deno.rename(`${file}.new`, file);
      await next();
      await Deno.remove(file);
      await next();
      const odd = new Deno.Command("bash", {
        args: ["-c", `: >"$0"/$'odd\\xff'`, paths.parkedFolder],
      });
      assertEquals((await odd.output()).code, 0);
      await next();
    } finally {
      channel.close();
    }
  }));
