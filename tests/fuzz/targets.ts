// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Every decoder of the protocol, with the property that must hold for any input: it is refused
 * with a ProtocolError, or what was decoded makes the same bytes again. Any other error, and
 * any other bytes, are a failure.
 *
 * @module
 */

import { parseAuthKey } from "../../shared/protocol/auth_key.ts";
import {
  type Bytes,
  concat,
  parseDecimal,
  parseHex,
  toHex,
  uint32,
  utf8,
} from "../../shared/protocol/bytes.ts";
import {
  CAPABILITIES,
  encodeCapabilities,
  parseCapabilities,
} from "../../shared/protocol/capability.ts";
import { CHUNK_MAC_BYTES } from "../../shared/protocol/live/chunk.ts";
import { encodeCommand, parseCommand } from "../../shared/protocol/command.ts";
import { createDom0Session } from "../../shared/protocol/dom0_session.ts";
import { neededCapabilities, parseEnvelope } from "../../shared/protocol/envelope.ts";
import { encodeFlags, parseFlags } from "../../shared/protocol/flags.ts";
import { parseDom0Path } from "../../shared/protocol/dom0_path.ts";
import { createFrameDecoder, encodeFrame, type Frame } from "../../shared/protocol/frame.ts";
import {
  CAPS_FROM_DOM0,
  CAPS_FROM_VM,
  CAPS_OF_ANSWER,
  CHUNK_ROOM_BYTES,
  decodeAnswer,
  decodeFromDom0,
  decodeFromVm,
  encodeAnswer,
  encodeFromDom0,
  encodeFromVm,
  isLentToDom0,
} from "../../shared/protocol/message.ts";
import { decodeMux, encodeMux, MUX_CAPS } from "../../shared/protocol/mux/mux_message.ts";
import { createMuxSession } from "../../shared/protocol/mux/mux_session.ts";
import { encodeMeta, parseMeta } from "../../shared/protocol/outcome.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseRequestId, parseV1Id, requestIdTimeMs } from "../../shared/protocol/request_id.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import { createVmSession } from "../../shared/protocol/vm_session.ts";
import { parseWhy } from "../../shared/protocol/why.ts";
import { encodeFromVmAgain, encodeUnverified } from "./encode_again.ts";
import { makeInput } from "./mutate.ts";
import { createPrng, type Prng } from "./prng.ts";

export interface Target {
  readonly name: string;
  /** Inputs that are right, or nearly: what is changed to make others. */
  readonly corpus: readonly Bytes[];
  /**
   * @returns what must be the input again
   * @throws {ProtocolError} the input is refused
   */
  again(input: Bytes): Bytes | Promise<Bytes>;
}

export type Result = "accepted" | "refused";

/** The input that a seed, a target and a number make: it can be made again from these three. */
export function inputOf(target: Target, seed: number, index: number): Bytes {
  const prng = createPrng(Math.imul(seed, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35));
  return makeInput(prng, target.corpus);
}

/** @throws {Error} what broke, if the property does not hold */
export async function runOne(target: Target, input: Bytes): Promise<Result> {
  let again: Bytes;
  try {
    const made = target.again(input.slice());
    again = made instanceof Uint8Array ? made : await made; // waiting costs more than most parsers
  } catch (error) {
    if (error instanceof ProtocolError) return "refused";
    throw error;
  }
  if (again.length !== input.length || !again.every((byte, i) => byte === input[i])) {
    throw new Error(`accepted, but it comes back as ${toHex(again)}`);
  }
  return "accepted";
}

/** Says what broke and how to see it again. */
export function failureText(target: Target, seed: number, input: Bytes, error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return `${target.name}, seed ${seed}: ${text}\n` +
    `to see it again: deno run -A tests/fuzz/fuzz.ts ${target.name} ${toHex(input)}`;
}

const VECTORS = new URL("../vectors/", import.meta.url);

/** The inputs of a vector file. */
function vectorInputs(file: string): Bytes[] {
  const cases: { input?: string; inputHex?: string }[] = JSON.parse(
    Deno.readTextFileSync(new URL(`${file}.json`, VECTORS)),
  );
  return cases.map(({ input, inputHex }) =>
    input === undefined ? parseHex(inputHex ?? "", (inputHex ?? "").length / 2) : utf8(input)
  );
}

/** The messages of a vector file, each as its type and its payload. */
function vectorMessages(file: string): Bytes[] {
  const cases: { type: number; payloadHex: string }[] = JSON.parse(
    Deno.readTextFileSync(new URL(`${file}.json`, VECTORS)),
  );
  return cases.map(({ type, payloadHex }) =>
    concat([new Uint8Array([type]), parseHex(payloadHex, payloadHex.length / 2)])
  );
}

const withLengths = (messages: readonly Bytes[]): Bytes[] =>
  messages.map((message) => concat([uint32(message.length), message]));

const FROM_DOM0 = vectorMessages("from_dom0");
const FROM_VM = vectorMessages("from_vm");
const ANSWERS = vectorMessages("answer");
const MUX = vectorMessages("mux_message");
/** What a dialer with one stream may hear, in this order. */
const TO_DIALER = [
  { kind: "hello", version: 1, streams: 9, windowBytes: 100 },
  { kind: "opened", stream: 1 },
  { kind: "data", stream: 1, data: utf8("hi") },
  { kind: "window", stream: 1, bytes: 100 },
  { kind: "end", stream: 1 },
  { kind: "reset", stream: 1 },
] as const;
const HEARD = TO_DIALER.map((message) => encodeMux(message).slice(4));

const asText = (bytes: Bytes): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

/** A parser of text whose result is the text. Bytes that are not UTF-8 arrive as U+FFFD. */
function textTarget(
  name: string,
  corpus: readonly Bytes[],
  again: (text: string) => string,
): Target {
  return {
    name,
    corpus,
    again(input) {
      const text = asText(input);
      const made = again(text);
      return made === text ? input : utf8(made);
    },
  };
}

/** Type and payload; no input at all is no frame. */
function frameOf(input: Bytes): Frame {
  if (input.length === 0) throw new ProtocolError("bad-frame", "no type");
  return { type: input[0] ?? 0, untrustedPayload: input.subarray(1) };
}

/** A message decoder: what it decoded is encoded as a frame, less its length. */
function messageTarget(
  name: string,
  corpus: readonly Bytes[],
  again: (frame: Frame) => Bytes,
): Target {
  return { name, corpus, again: (input) => again(frameOf(input)).slice(4) };
}

/** The frames of a stream, which the input itself decides how to cut. */
function frameTarget(
  name: string,
  caps: ReadonlyMap<number, number>,
  messages: Bytes[],
  isLent?: (type: number) => boolean,
): Target {
  const single = withLengths(messages);
  return {
    name,
    corpus: [...single, concat(single.slice(0, 4)), concat(single.slice(2, 9))],
    again(input) {
      const decoder = createFrameDecoder(caps, isLent);
      const prng: Prng = createPrng(input.length);
      const frames: Frame[] = [];
      for (let at = 0; at < input.length;) {
        const bytes = 1 + prng.below(12);
        for (const { type, untrustedPayload } of decoder.push(input.subarray(at, at + bytes))) {
          frames.push({ type, untrustedPayload: untrustedPayload.slice() });
        }
        at += bytes;
      }
      decoder.end();
      return concat(
        frames.map(({ type, untrustedPayload }) => encodeFrame(type, untrustedPayload)),
      );
    },
  };
}

/** A session is no decoder of bytes to bytes: it takes the frames or refuses one. */
function sessionTarget(
  name: string,
  caps: ReadonlyMap<number, number>,
  messages: Bytes[],
  create: () => (frame: Frame) => void,
  opening = messages.slice(0, 1),
): Target {
  const [single, first] = [withLengths(messages), withLengths(opening)];
  const corpus = single.flatMap((one, i) => [
    ...[one, concat([...first, one]), concat(i === 0 ? [] : [...first, ...single.slice(1, i)])],
  ]);
  return {
    name,
    corpus,
    again(input) {
      const receive = create();
      const decoder = createFrameDecoder(caps);
      decoder.push(input).forEach(receive);
      decoder.end();
      return input;
    },
  };
}

const VM = parseVmName("work");
/** What each side says before the first credit, in the full form. */
const DOM0_OPENING = [
  encodeFromDom0({ kind: "hello", version: 2, vm: VM }),
  encodeFromDom0({ kind: "ping", token: 0 }),
  encodeFromDom0({ kind: "capabilities", words: CAPABILITIES }),
].map((wire) => wire.slice(4));
/** Of a VM that knows no operations. */
const VM_OPENING_FIRST = [
  encodeFromVm({ kind: "hello", version: 2 }),
  encodeFromVm({ kind: "pong", token: 0 }),
].map((wire) => wire.slice(4));
const VM_OPENING = [
  encodeFromVm({ kind: "hello", version: 2 }),
  encodeFromVm({ kind: "capabilities", words: CAPABILITIES }),
].map((wire) => wire.slice(4));

/** A request that brings a live stream, its chunks, and what dom0 says about it. */
const LIVE_REQUEST = FROM_VM.filter(([type]) => type === 0x82).slice(0, 1).map((message) =>
  encodeFromVm({
    kind: "request",
    seq: 1,
    envelope: utf8(
      new TextDecoder().decode(message.slice(5)).replace("nonce", "payload live\nnonce"),
    ),
  }).slice(4)
);
const TAKEN = [
  encodeFromDom0({ kind: "credit", count: 1 }),
  encodeFromDom0({ kind: "accepted", seq: 1 }),
].map((wire) => wire.slice(4));
const CHUNK = 6;
const wireOf = (isEnd: boolean): Bytes =>
  concat([
    new Uint8Array(CHUNK_ROOM_BYTES),
    new Uint8Array([isEnd ? 1 : 0]),
    new Uint8Array(CHUNK_MAC_BYTES + CHUNK),
  ]);
const CHUNKS = [0, 1, 2, 3].map((n) =>
  encodeFromVm({ kind: "chunk", seq: 1, offset: n * CHUNK, wire: wireOf(n === 3) }).slice(4)
);
const ABOUT_STREAM = [
  ...[0, 1, 2].map((n) => ({ kind: "want", seq: 1, offset: n * CHUNK } as const)),
  { kind: "enough", seq: 1 } as const,
].map((message) => encodeFromDom0(message).slice(4));
/** For sessions in which no request brings one. */
const isOfStream = ([type = 0]: Bytes): boolean => [0x0a, 0x0b, 0x8a].includes(type);
const PLAIN_FROM_DOM0 = FROM_DOM0.filter((message) => !isOfStream(message));
const PLAIN_FROM_VM = FROM_VM.filter((message) => !isOfStream(message));

const DOM0_PATHS = ["/srv/agents/report.txt", "/a b/é", "/x/../y", "//x", "/x/", "/", "x"].map(
  utf8,
);

export const TARGETS: readonly Target[] = [
  frameTarget("frames-from-vm", CAPS_FROM_VM, FROM_VM, isLentToDom0),
  frameTarget("frames-from-dom0", CAPS_FROM_DOM0, FROM_DOM0),
  frameTarget("frames-of-answer", CAPS_OF_ANSWER, ANSWERS),
  messageTarget("decodeFromVm", FROM_VM, (frame) => encodeFromVmAgain(decodeFromVm(frame))),
  messageTarget("decodeFromDom0", FROM_DOM0, (frame) => encodeFromDom0(decodeFromDom0(frame))),
  messageTarget("decodeAnswer", ANSWERS, (frame) => encodeAnswer(decodeAnswer(frame))),
  sessionTarget("dom0-session", CAPS_FROM_VM, PLAIN_FROM_VM, () => {
    const session = createDom0Session(VM);
    session.hello();
    session.credit(3);
    session.ping();
    return (frame) => void session.receive(frame);
  }, VM_OPENING),
  {
    name: "parseCapabilities",
    corpus: [...FROM_VM, ...FROM_DOM0].filter(([type]) => type === 0x07 || type === 0x88).map((
      message,
    ) => message.slice(1)),
    again: (input) => encodeCapabilities(parseCapabilities(input)),
  },
  sessionTarget("vm-session", CAPS_FROM_DOM0, PLAIN_FROM_DOM0, () => {
    const session = createVmSession();
    return (frame) => {
      session.receive(frame);
      if (session.hasCredit()) session.request(new Uint8Array(9));
    };
  }, DOM0_OPENING),
  sessionTarget("dom0-session-first", CAPS_FROM_VM, PLAIN_FROM_VM, () => {
    const session = createDom0Session(VM);
    session.hello();
    session.credit(3);
    session.ping();
    return (frame) => {
      const event = session.receive(frame);
      if (event.kind === "request" && neededCapabilities(event.request.fields).length > 0) {
        throw new Error("a request that was not agreed on");
      }
    };
  }, VM_OPENING_FIRST),
  sessionTarget("dom0-stream", CAPS_FROM_VM, [...VM_OPENING.slice(0, 1), ...CHUNKS], () => {
    const session = createDom0Session(VM);
    session.hello();
    session.credit(3);
    return (frame) => {
      const event = session.receive(frame);
      if (event.kind === "request") session.want(event.seq, 0);
      if (event.kind !== "chunk" || event.chunk.data.length === 0) return;
      session.want(event.seq, event.chunk.offset + event.chunk.data.length);
    };
  }, [...VM_OPENING, ...LIVE_REQUEST]),
  sessionTarget("vm-stream", CAPS_FROM_DOM0, [...DOM0_OPENING.slice(0, 1), ...ABOUT_STREAM], () => {
    const session = createVmSession();
    let chunks = 0;
    return (frame) => {
      session.receive(frame);
      if (session.hasCredit()) session.request(new Uint8Array(9));
      for (; session.nextChunk(1) !== null && chunks < 4; chunks++) {
        session.chunk(1, { wire: wireOf(false), bytes: CHUNK, isEnd: false });
      }
    };
  }, [...DOM0_OPENING, ...TAKEN]),
  frameTarget("frames-of-mux", MUX_CAPS.dialer, MUX, () => true),
  messageTarget("decodeMux", MUX, (frame) => encodeMux(decodeMux(frame))),
  sessionTarget("mux-dialer", MUX_CAPS.dialer, HEARD, () => {
    const session = createMuxSession("dialer");
    session.hello();
    return (frame) => {
      session.receive(frame);
      if (session.mayOpen()) session.open();
      session.reset(2);
    };
  }),
  sessionTarget("mux-acceptor", MUX_CAPS.acceptor, MUX, () => {
    const session = createMuxSession("acceptor");
    return (frame) => {
      const event = session.receive(frame);
      if (event.kind === "open") session.opened(event.stream);
      if (event.kind === "data") session.consumed(event.stream, event.data.length);
    };
  }),
  {
    name: "parseEnvelope",
    corpus: vectorInputs("envelope"),
    again: (input) => encodeUnverified(parseEnvelope(input)),
  },
  {
    name: "parseMeta",
    corpus: vectorInputs("meta"),
    again: (input) => utf8(encodeMeta(parseMeta(input))),
  },
  textTarget("parseVmName", vectorInputs("vm_name"), parseVmName),
  textTarget("parseDom0Path", DOM0_PATHS, parseDom0Path),
  textTarget("parseRequestId", vectorInputs("request_id"), parseRequestId),
  textTarget("parseV1Id", vectorInputs("request_id"), (text) => {
    const id = parseV1Id(text);
    if (!Number.isSafeInteger(requestIdTimeMs(id))) throw new Error("an id without a time");
    return id;
  }),
  textTarget("parseHex", vectorInputs("hex"), (text) => {
    return toHex(parseHex(text, Math.ceil(text.length / 2)));
  }),
  textTarget("parseDecimal", vectorInputs("decimal"), (text) => {
    return String(parseDecimal(text, 0, Number.MAX_SAFE_INTEGER));
  }),
  {
    name: "parseCommand-argv",
    corpus: vectorInputs("command"),
    again: (input) => encodeCommand(parseCommand("argv", input)),
  },
  {
    name: "parseCommand-script",
    corpus: vectorInputs("command"),
    again: (input) => encodeCommand(parseCommand("script", input)),
  },
  {
    name: "parseCommand-op",
    corpus: vectorInputs("command"),
    again: (input) => encodeCommand(parseCommand("op", input)),
  },
  {
    name: "parseCommand-plan",
    corpus: vectorInputs("command"),
    again: (input) => encodeCommand(parseCommand("plan", input)),
  },
  textTarget("parseFlags", vectorInputs("flags"), (text) => encodeFlags(parseFlags(text))),
  textTarget("parseWhy", vectorInputs("why"), parseWhy),
  {
    name: "parseAuthKey",
    corpus: vectorInputs("auth_key"),
    /** A key does not give its text back: its fingerprint, made anew, must be of this text. */
    async again(input) {
      const text = asText(input);
      const { fingerprint } = await parseAuthKey(text);
      const labelled = utf8("qvm-remote/key-fingerprint" + text.trim());
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", labelled));
      const made = toHex(hash).slice(0, 32).match(/.{4}/g)?.join("-");
      if (made !== fingerprint || !/^\s*[0-9a-f]{64}\s*$/.test(text)) {
        throw new Error("not this key");
      }
      return input;
    },
  },
];
