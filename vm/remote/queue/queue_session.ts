// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One session over the file queue: names become requests, messages become files.
 *
 *     pending/ID --rename--> running/ID --request--> dom0
 *     dom0 --pull-->   payloads/ID, as much as it asks for
 *     dom0 --want-->   payloads/ID/N, the chunks of a live stream as they come
 *     dom0 --parked--> results/ID.parked, until it runs, has its answer, or the session is over
 *     dom0 --output--> results/ID.out|.err, then window
 *     dom0 --outcome-> results/ID.meta .mac, .exit by rename; running/ID removed; then ack
 *
 * A request is in running/ from before it is sent until its answer is whole. If anything dies in
 * between, the next session sends it again, and dom0 recognises it by its id and MAC.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import type { Bytes } from "../../../shared/protocol/bytes.ts";
import type { Frame } from "../../../shared/protocol/frame.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import type { Outcome } from "../../../shared/protocol/outcome.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import { createVmSession, type Dom0Event } from "../../../shared/protocol/vm_session.ts";
import type { FolderChange } from "../../../shared/io/folder_watch.ts";
import type { Layout } from "../files/layout.ts";
import { attempt } from "../files/local_failure.ts";
import { createNameList, type NameList } from "./name_list.ts";
import { createOpenRequests, type OpenRequests } from "./open_requests.ts";
import { isPresent } from "../../../shared/io/sync_files.ts";
import { type ChunkSender, createChunkSender } from "../live/chunk_sender.ts";
import { createQueueCourier, type QueueCourier } from "./queue_courier.ts";
import { idOfCompanion, idOfName } from "../files/queue_entry.ts";
import { createPump, type Pump } from "./queue_pump.ts";
import { createRescan, type Rescan } from "./queue_scan.ts";
import { forgetRequest } from "../files/result_files.ts";
import { setAside } from "../files/set_aside.ts";
import { createV1Tokens, type V1Tokens } from "./v1_tokens.ts";

/** Lines a session spends in the audit log on files that are no requests. */
const MAX_FOREIGN_LINES = 20;

export interface QueueSessionPorts {
  readonly layout: Layout;
  readonly send: (bytes: Bytes) => void;
  readonly audit: (line: string) => void;
  /** Ends the session from within a timer. */
  readonly fail: (error: unknown) => void;
  /** Called with the name that dom0 gives this VM, before anything is sent. */
  readonly onHello: (vm: string) => void;
  /** Called with each outcome of dom0. */
  readonly onConcluded: (outcome: Outcome) => void;
}

export interface QueueSession {
  /** @throws whatever ends the session: a broken protocol, a full disk */
  receive(frame: Frame): void;
  /** Something changed in pending/ or cancel/. */
  changed(change: FolderChange): void;
  /** To be called now and then: looks whether the watch has missed something. */
  checkWatch(): void;
  close(): void;
}

export function createQueueSession(ports: QueueSessionPorts): QueueSession {
  const { layout, audit } = ports;
  const session = createVmSession();
  const open = createOpenRequests();
  const guarded = guardedBy(ports.fail);
  const tokens = createV1Tokens(layout, (id) => guarded(() => courier.giveUpToken(id)));
  const courier = createQueueCourier({ ...ports, session, open, tokens });
  const giveUp = courier.endInDom0;
  const chunks = createChunkSender({ layout, session, send: ports.send, giveUp, guarded });
  const waiting = createNameList(); // in pending/
  const rescan: Rescan = createRescan({
    layout,
    onStart: () => waiting.restart(),
    onPending: (untrustedName) => addPending(untrustedName),
    onCancel: (untrustedName) => addCancel(untrustedName, courier),
    onSpecial: (path, untrustedName) => meetSpecial(path, untrustedName, courier, ports),
    onDone: () => pump.scanned(),
    fail: ports.fail,
  });
  const pump = createPump({ layout, session, courier, waiting, rescan: rescan.now, guarded });
  const addPending = createNameSorter(waiting, open, tokens, audit);
  const act = createActor({ ...ports, session, open, courier, chunks, pump });
  return {
    receive: (frame) => act(session.receive(frame)),
    changed: ({ paths, kind }) =>
      guarded(() => {
        rescan.count(kind === "unknown");
        if (kind === "gone") return;
        for (const path of paths) {
          const name = basename(path);
          if (path.startsWith(`${layout.pending}/`)) addPending(name);
          else if (isPresent(path)) addCancel(name, courier);
        }
        pump.run();
      }),
    checkWatch: () =>
      guarded(() => {
        if (pump.hasBegun()) rescan.ifChanged();
        chunks.look();
      }),
    close() {
      pump.stop();
      rescan.close();
      tokens.close();
      chunks.close();
      open.close();
    },
  };
}

/** For work that a timer or the watch begins: what it throws ends the session. */
function guardedBy(fail: QueueSessionPorts["fail"]): (work: () => void) => void {
  return (work) => {
    try {
      work();
    } catch (error) {
      fail(error);
    }
  };
}

function addCancel(untrustedName: string, courier: QueueCourier): void {
  const id = idOfName(untrustedName);
  if (id !== undefined) courier.cancel(id);
}

/** A FIFO, which the watch must not meet, or the like. */
function meetSpecial(
  path: string,
  untrustedName: string,
  courier: QueueCourier,
  { layout, audit }: QueueSessionPorts,
): void {
  const id = idOfName(untrustedName);
  if (id !== undefined && path.startsWith(`${layout.pending}/`)) return courier.take(id);
  const why = attempt(() => setAside(layout, path, "special"));
  audit(`REFUSED-LOCALLY name=${printable(untrustedName)} ${why ?? "not a regular file"}`);
}

interface ActorPorts extends QueueSessionPorts {
  readonly session: ReturnType<typeof createVmSession>;
  readonly open: OpenRequests;
  readonly courier: QueueCourier;
  readonly chunks: ChunkSender;
  readonly pump: Pump;
}

/** Does what dom0's messages ask for. */
function createActor(ports: ActorPorts): (event: Dom0Event) => void {
  const { session, open, courier, chunks, send, audit, pump } = ports;
  return (event) => {
    switch (event.kind) {
      case "hello":
        ports.onHello(event.vm);
        send(event.reply);
        return pump.begin();
      case "credit":
        return pump.run();
      case "ping":
        return send(event.reply);
      case "capabilities":
        return;
      case "accepted": {
        const request = open.get(event.seq);
        return audit(`${request.unpark() ? "APPROVED" : "ACCEPTED"} id=${request.id}`);
      }
      case "parked": {
        const request = open.get(event.seq);
        request.park();
        return audit(`PARKED id=${request.id}`);
      }
      case "pull":
        for (const { offset, data } of open.get(event.seq).payload(event.offset, event.bytes)) {
          send(session.payload(event.seq, offset, data));
        }
        return;
      case "want":
        return chunks.want(event.seq, open.get(event.seq).id, event.offset);
      case "enough":
        return chunks.enough(event.seq, open.get(event.seq).id);
      case "output": {
        const request = open.get(event.seq);
        if (!request.write(event.stream, event.offset, event.data)) {
          courier.endInDom0(request.id, "its output cannot be stored");
        }
        return send(session.window(event.seq, event.data.length));
      }
      case "outcome":
        conclude(event, ports);
        return pump.run();
    }
  };
}

/** Stores dom0's answer and acknowledges it; one that cannot be stored comes again in the next session. */
function conclude(
  { seq, outcome, mac }: Dom0Event & { kind: "outcome" },
  { layout, session, open, chunks, send, audit, onConcluded }: ActorPorts,
): void {
  const request = open.get(seq);
  chunks.end(seq);
  const { id, kind, exitCode, reason } = outcome;
  if (id !== request.id) throw new ProtocolError("unexpected", "outcome of another id");
  onConcluded(outcome);
  let why: string | null = null;
  const lost = attempt(() => why = request.finish(outcome, mac));
  audit(`OUTCOME id=${id} outcome=${kind} reason=${reason ?? "-"} exit=${exitCode}`);
  if (lost !== null) return audit(`NOT-STORED id=${id} ${printable(lost, 200)}`);
  if (why !== null) audit(`NOT-STORED id=${id} ${printable(why, 200)}`);
  attempt(() => forgetRequest(layout, id)); // if it is sent again, it has its answer
  open.remove(seq);
  send(session.ack(seq));
}

/** Sorts the names in pending/: requests wait, companions tell of theirs, the rest is noted. */
function createNameSorter(
  waiting: NameList,
  open: OpenRequests,
  tokens: V1Tokens,
  audit: (line: string) => void,
): (untrustedName: string) => void {
  const noted = new Set<string>(); // the folder may be read many times
  let more = false;
  return (untrustedName) => {
    const id = idOfName(untrustedName);
    if (id !== undefined) {
      if (open.seqOf(id) === undefined) waiting.add(id);
      return;
    }
    const owner = idOfCompanion(untrustedName);
    if (owner !== undefined) {
      if (!tokens.isAwaited(owner)) return;
      tokens.stopWaiting(owner);
      return waiting.add(owner);
    }
    if (noted.has(untrustedName)) return;
    if (noted.size < MAX_FOREIGN_LINES) {
      noted.add(untrustedName);
      audit(`REFUSED-LOCALLY name=${printable(untrustedName)} not a request`);
    } else if (!more) {
      more = true;
      audit("REFUSED-LOCALLY more files that are not requests: not listed in this session");
    }
  };
}
