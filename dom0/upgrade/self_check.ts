// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whether this program works here, from end to end: a daemon on a folder of its own serves a VM that is none, by a
 * key that was made for this, and its rule lets that VM run one script. The daemon that runs, its keys and its
 * record have no part in it. What is tried is what is installed: settings, session, signatures, ledger, record,
 * a process, and its outcome.
 *
 * @module
 */

import { durableFolder, durableWrite } from "../../shared/io/durable.ts";
import { exists } from "../../shared/io/files.ts";
import { realClock } from "../../shared/io/clock.ts";
import { createNotifier } from "../../shared/io/sd_notify.ts";
import { within } from "../../shared/io/timing.ts";
import { UserError } from "../../shared/cli/program.ts";
import { makeAuthKeyText, parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import { runDaemon } from "../daemon/daemon.ts";
import { checkChainFiles } from "../record/audit_files.ts";
import type { QrexecCall } from "../../shared/io/qrexec_call.ts";
import { dom0Paths, type Paths } from "../settings/paths.ts";
import { loopBack, type LoopedBack } from "./loop_back.ts";

const LIMIT_MS = 60_000;
const SAYS = "checked\n";
const SCRIPT = "echo checked; exit 7";
const EXIT = 7;
const VM = parseVmName("loop-back");

/**
 * @param root an empty place for the check; it is gone afterwards
 * @throws {UserError} with what did not work
 */
export async function selfCheck(root: string): Promise<void> {
  if (await exists(root)) await Deno.remove(root, { recursive: true });
  try {
    const paths = dom0Paths(root);
    expectAnswer(await askAlone(paths));
    const { findings, records } = await checkChainFiles(paths);
    if (findings.length === 0 && records > 0) return;
    throw new UserError(
      `its record of the check is not whole: ${findings[0]?.why ?? "it is empty"}`,
    );
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function askAlone(paths: Paths): Promise<LoopedBack> {
  const keyText = makeAuthKeyText();
  await durableFolder(paths.keyFolder);
  await durableFolder(paths.policyFolder);
  await durableWrite(paths.config, `QVM_REMOTE_VMS="${VM}"\n`);
  await durableWrite(`${paths.keyFolder}/${VM}.key`, keyText);
  await durableWrite(`${paths.policyFolder}/50-${VM}.policy`, `shell ${VM} - allow\n`);
  const { call, answer } = loopBack(VM, await parseAuthKey(keyText), SCRIPT, realClock.dateMs());
  const stop = new AbortController();
  const serving = serve(paths, call, stop.signal);
  try {
    const ended = Promise.race([answer, serving.then(() => answer)]);
    if (await within(LIMIT_MS, ended)) return await ended;
    throw new UserError(`the daemon gave no answer in ${LIMIT_MS / 1000} s`);
  } finally {
    stop.abort();
    await serving;
  }
}

/** A daemon in this process, without systemd and without cgroups. */
async function serve(paths: Paths, call: QrexecCall, stop: AbortSignal): Promise<void> {
  await runDaemon({
    paths,
    environment: new Map(),
    onlyVms: [],
    once: true,
    dryRun: false,
    say: () => {},
    cgroup: false,
    underSystemd: false,
    notifier: createNotifier({ notifySocket: undefined, watchdogUsec: undefined }),
    clock: realClock,
    callService: () => call,
  }, stop);
}

function expectAnswer({ outcome, stdout }: LoopedBack): void {
  const { kind, reason, exitCode } = outcome;
  if (kind !== "done" || exitCode !== EXIT) {
    throw new UserError(
      `a request ended as ${reason ?? kind} with ${exitCode}, and not with ${EXIT}`,
    );
  }
  if (stdout !== SAYS) throw new UserError("the output of a command did not come back as it was");
}
