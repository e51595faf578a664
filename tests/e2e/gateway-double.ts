// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The gateway's double as a process of its own, to be killed or stopped: PORT, and the file whose
 * text is the status that /healthz answers; 200 while there is none.
 *
 * @module
 */

import { startGateway } from "./ctl_world.ts";

const [port = "0", statusFile = ""] = Deno.args;
const gateway = startGateway(Number(port));
gateway.answers.set("/healthz", async () => {
  const text = await Deno.readTextFile(statusFile).catch(() => "200");
  return Response.json({ ok: text === "200" }, { status: Number(text) });
});
console.log("listening");
