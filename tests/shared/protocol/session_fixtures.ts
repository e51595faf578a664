// SPDX-License-Identifier: GPL-2.0-or-later
/** Requests, outcomes and frames for the tests of sessions. @module */

import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import { type Bytes, utf8 } from "../../../shared/protocol/bytes.ts";
import {
  PLAIN_REQUEST,
  type RequestFields,
  sealEnvelope,
} from "../../../shared/protocol/envelope.ts";
import { createFrameDecoder, type Frame } from "../../../shared/protocol/frame.ts";
import { CAPS_FROM_DOM0, CAPS_FROM_VM } from "../../../shared/protocol/message.ts";
import { EMPTY_STREAM, type Outcome, parseMeta } from "../../../shared/protocol/outcome.ts";
import { encodeMeta } from "../../../shared/protocol/outcome.ts";
import { parseRequestId } from "../../../shared/protocol/request_id.ts";
import type { UnverifiedV1Request } from "../../../shared/protocol/v1.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

export const VM = parseVmName("work");
export const ID = parseRequestId("20261122-091500-4242-a1b2c3d4");
export const MAC = new Uint8Array(32).fill(0xab);

const KEY = await parseAuthKey("00".repeat(32));
const FIELDS: RequestFields = {
  id: ID,
  vm: VM,
  issuedAtMs: 1_795_338_900_123,
  timeoutMs: 300_000,
  mode: "argv",
  ...PLAIN_REQUEST,
  nonce: "000102030405060708090a0b0c0d0e0f",
  body: utf8("true\0"),
};
export const ENVELOPE: Bytes = await sealEnvelope(FIELDS, KEY);

/** Requests that need a capability, each for another reason. */
export async function laterEnvelopes(): Promise<ReadonlyMap<string, Bytes>> {
  const changes: readonly [name: string, Partial<RequestFields>][] = [
    ["op", { mode: "op", body: utf8("ops\0") }],
    ["plan", { mode: "plan", body: utf8("{}") }],
    ["explain", { flags: new Set(["explain"]) }],
    ["why", { why: "because" }],
    ["payload", { payload: { bytes: 6, sha256: "5".repeat(64) } }],
    ["live", { payload: "live" }],
  ];
  return new Map(
    await Promise.all(changes.map(async ([name, change]): Promise<[string, Bytes]> => {
      return [name, await sealEnvelope({ ...FIELDS, ...change }, KEY)];
    })),
  );
}

export const V1_REQUEST: UnverifiedV1Request = {
  id: ID,
  untrustedToken: "0".repeat(64),
  body: utf8("true\n"),
};

/** As it arrives: through its text. */
export const OUTCOME: Outcome = parseMeta(utf8(encodeMeta({
  ...{ id: ID, nonce: "000102030405060708090a0b0c0d0e0f", kind: "done", reason: null },
  ...{ exitCode: 0, startedAtMs: 0, durationMs: 1, out: EMPTY_STREAM, err: EMPTY_STREAM },
})));

/** The one frame in these bytes, as dom0 sees it. */
export function atDom0(wire: Bytes): Frame {
  return onlyFrame(createFrameDecoder(CAPS_FROM_VM).push(wire));
}

/** The one frame in these bytes, as the VM sees it. */
export function atVm(wire: Bytes): Frame {
  return onlyFrame(createFrameDecoder(CAPS_FROM_DOM0).push(wire));
}

function onlyFrame(frames: readonly Frame[]): Frame {
  const [frame] = frames;
  if (frame === undefined || frames.length !== 1) throw new Error(`${frames.length} frames`);
  return frame;
}
