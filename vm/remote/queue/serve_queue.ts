// SPDX-License-Identifier: GPL-2.0-or-later
/** The service around a session: the lock, the stream, the watch, the end. @module */

import { createSender, readFrames } from "../../../shared/io/byte_stream.ts";
import { realClock } from "../../../shared/io/clock.ts";
import { writeAtomically, writeFully } from "../../../shared/io/files.ts";
import { errorText, UserError } from "../../../shared/cli/program.ts";
import { createSilence } from "../../../shared/io/silence.ts";
import { SILENCE_LIMIT_MS } from "../../../shared/protocol/limits.ts";
import { CAPS_FROM_DOM0 } from "../../../shared/protocol/message.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { audit } from "../files/audit_log.ts";
import { watchFolders } from "../../../shared/io/folder_watch.ts";
import { createConnectedMark } from "../files/connection.ts";
import type { Layout } from "../files/layout.ts";
import { attemptAsync } from "../files/local_failure.ts";
import { lockWithin } from "../files/lock.ts";
import { clear, isPlain } from "../files/plain_file.ts";
import { createQueueSession } from "./queue_session.ts";
import { isPresent } from "../../../shared/io/sync_files.ts";
import { sweep } from "../files/sweep.ts";
import { readVmName } from "../files/vm_name_file.ts";

/** The only timer of an idle session: is dom0 silent, has the watch missed something? */
const CHECK_INTERVAL_MS = 10_000;
/** An old service that lingers ends itself within its silence limit. */
const LOCK_WAIT_MS = SILENCE_LIMIT_MS + 2 * CHECK_INTERVAL_MS;

/**
 * Serves a session until stdin ends.
 *
 * @throws {UserError} what ended it before that, for a person
 */
export async function serveQueue(layout: Layout): Promise<void> {
  using lock = await lockWithin(layout.lock, LOCK_WAIT_MS);
  if (lock === null) throw new UserError("another qvmremote.Queue serves this queue");
  const end = Promise.withResolvers<void>();
  const session = startSession(layout, end.reject);
  audit(layout, `SESSION start pid=${Deno.pid}`);
  let why = "end of stream";
  try {
    await Promise.race([session.read().then(end.resolve), end.promise]);
  } catch (error) {
    why = errorText(error);
    throw new UserError(`session over: ${why}`);
  } finally {
    session.close();
    audit(layout, `SESSION end ${printable(why, 200)}`);
  }
}

function startSession(layout: Layout, fail: (error: unknown) => void) {
  const sender = createSender((bytes) => writeFully(Deno.stdout, bytes), fail);
  const note = (why: string) => void audit(layout, `TIDY ${printable(why, 200)}`);
  const mark = createConnectedMark(layout);
  const session = createQueueSession({
    layout,
    send: (bytes) => void sender.send(bytes),
    audit: (line) => void audit(layout, line),
    fail,
    onConcluded: mark.concluded,
    onHello(vm) {
      mark.connected();
      attemptAsync(() => saveName(layout, vm)).then((why) => why === null || note(why)).catch(fail);
      sweep(layout, note).catch(fail);
    },
  });
  const watch = watchFolders([layout.pending, layout.cancel], (change) => {
    if (change.folderGone) fail(new Error("the queue's folders were removed"));
    else session.changed(change);
  });
  const silence = createSilence(CHECK_INTERVAL_MS, realClock);
  const timer = setInterval(() => {
    if (silence.lookMs() > SILENCE_LIMIT_MS) fail(new Error("dom0 is silent"));
    session.checkWatch();
  }, CHECK_INTERVAL_MS);
  return {
    read: () =>
      readFrames(Deno.stdin.readable, CAPS_FROM_DOM0, (frame) => {
        silence.heard();
        session.receive(frame);
      }, () => true),
    close() {
      clearInterval(timer);
      watch.close();
      session.close();
    },
  };
}

/** What dom0 calls this VM: clients put it under their MAC. */
async function saveName(layout: Layout, vm: string): Promise<void> {
  const { name } = layout;
  if (isPresent(name) && !isPlain(name)) clear(layout, name);
  const known = await readVmName(layout).catch(() => undefined); // whatever is wrong with it
  if (known !== vm) await writeAtomically(name, `${vm}\n`);
}
