// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * qvmremote.Queue: the qrexec service through which dom0 serves this VM's file queue. Without
 * an argument it serves one session over stdin and stdout; an argument asks for one thing:
 * +key, +status, +list, +clean, +recover. Only dom0 may call it.
 *
 * @module
 */

import { EXIT_OK, runProgram, UserError } from "../shared/cli/program.ts";
import { layoutOf, prepareFolders } from "./remote/files/layout.ts";
import { answerOperator } from "./remote/queue/operator_call.ts";
import { namingOsErrors } from "./remote/files/os_error.ts";
import { refuseNewerState } from "./remote/files/state_formats.ts";
import { serveQueue } from "./remote/queue/serve_queue.ts";

async function main(): Promise<number> {
  const caller = Deno.env.get("QREXEC_REMOTE_DOMAIN");
  if (caller !== "dom0") throw new UserError("only dom0 may call this service");
  const layout = layoutOf(Deno.env.get("HOME"));
  await refuseNewerState(layout);
  await prepareFolders(layout);
  const argument = Deno.args[0] || Deno.env.get("QREXEC_SERVICE_ARGUMENT") || "";
  if (argument === "") await serveQueue(layout);
  else await answerOperator(layout, argument);
  return EXIT_OK;
}

if (import.meta.main) Deno.exit(await runProgram("qvmremote.Queue", () => namingOsErrors(main)));
