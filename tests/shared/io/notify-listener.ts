// SPDX-License-Identifier: GPL-2.0-or-later
/** Stands for systemd's end: prints what comes to the datagram socket $1, line by line. Wants --unstable-net. @module */

import { writeAll } from "../../../shared/cli/program.ts";

const socket = Deno.listenDatagram({ transport: "unixpacket", path: Deno.args[0] ?? "" });
for await (const [datagram] of socket) {
  writeAll(Deno.stdout, new TextDecoder().decode(datagram) + "\n");
}
