// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A request's body in memory: its bytes, for as long as another attempt may need them, and what is
 * made of them. Of a large body the pictures are in memory once only (cut_out.ts), and what is large
 * without them is decoded again when it is asked for.
 *
 * @module
 */

import { type CutOut, cutOut, lengthWithRuns, MARK_CHARS, withRuns } from "./cut_out.ts";
import type { Bytes } from "../bytes.ts";
import { promptTokens } from "../books/prompt_tokens.ts";
import { type Upload, uploadOfParts, uploadOfText } from "./upload.ts";

/** Below that nothing is done to save memory: it would cost time. */
const LARGE_BYTES = 1024 * 1024;

/** Beside its bytes, a large text is there as a text, in the JSON, and in what is written of it. */
const TEXT_COSTS = 3;

/** The usual rule of thumb, where nothing depends on it. */
const BYTES_IN_A_TOKEN = 4;

interface Parsed {
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

export interface RequestBody {
  readonly model: string;
  readonly stream: boolean;
  /** In bytes, as it came. */
  readonly length: number;
  /** Runs of base64 that were cut out of text and JSON. */
  readonly cutOuts: number;
  /** As the client sent it: of its body only the two fields above are known to be right. */
  readonly untrustedBytes: Bytes;
  /** The same decoded; in a large body a mark stands for each long run of base64. */
  readonly untrustedText: string;
  readonly untrustedBody: Readonly<Record<string, unknown>>;
  /** An estimate of what a model is to read; a rough one if it is first asked for after drop(). */
  promptTokens(): number;
  /** What was written of it, as it is sent on: in the place of each mark is what it stands for. */
  upload(text: string): Upload;
  /** The same as a text. */
  whole(text: string): string;
  /** Nobody will ask for any of it any more: its memory is free. Any number of times. */
  drop(): void;
}

/** A body that is JSON, and not checked beyond that. */
export interface DecodedBody {
  readonly json: unknown;
  /** To be called once `json` was found to be right. */
  accept(fields: Pick<RequestBody, "model" | "stream">, release: () => void): RequestBody;
}

/** A byte order mark stays, and is no JSON: places in the text have to be those in the bytes. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * @param hasRoom whether there is room for that many bytes more
 * @returns "no room", or "no JSON"
 */
export function decodeBody(
  bytes: Bytes,
  hasRoom: (bytes: number) => boolean,
): DecodedBody | "no room" | "no JSON" {
  const secret = bytes.length > LARGE_BYTES ? newSecret() : "";
  const cut: CutOut = secret === "" ? { rest: bytes, runs: new Map() } : cutOut(bytes, secret);
  if (cut.rest.length > LARGE_BYTES && !hasRoom(TEXT_COSTS * cut.rest.length)) return "no room";
  try {
    const text = decoder.decode(cut.rest);
    const json = JSON.parse(text);
    const parsed = { text, json };
    return {
      json,
      accept: (fields, release) =>
        requestBody({ bytes, secret, ...cut, ...fields, parsed, release }),
    };
  } catch {
    return "no JSON";
  }
}

interface Parts extends CutOut, Pick<RequestBody, "model" | "stream"> {
  readonly bytes: Bytes;
  readonly secret: string;
  readonly parsed: Parsed;
  readonly release: () => void;
}

function requestBody(
  { bytes, secret, model, stream, parsed, release, ...cut }: Parts,
): RequestBody {
  const isLarge = cut.rest.length > LARGE_BYTES;
  let held: { readonly bytes: Bytes; readonly cut: CutOut } | null = { bytes, cut };
  let strong = isLarge ? null : parsed;
  let weak = isLarge ? new WeakRef(parsed) : null;
  const bytesLength = bytes.length;
  let prompt: number | null = null;
  const now = (): { readonly bytes: Bytes; readonly cut: CutOut } => {
    if (held === null) throw new Error("the body of a request was asked for after its end");
    return held;
  };
  const parsedNow = (): Parsed => {
    const found = strong ?? weak?.deref();
    if (found !== undefined) return found;
    const text = decoder.decode(now().cut.rest);
    const again = { text, json: JSON.parse(text) }; // it was right when it was read
    weak = new WeakRef(again);
    return again;
  };
  return {
    model,
    stream,
    length: bytesLength,
    cutOuts: cut.runs.size,
    get untrustedBytes() {
      return now().bytes;
    },
    get untrustedText() {
      return parsedNow().text;
    },
    get untrustedBody() {
      return parsedNow().json;
    },
    promptTokens() {
      if (held === null) return prompt ?? Math.ceil(bytesLength / BYTES_IN_A_TOKEN);
      const { cut } = now();
      const lengthOf = (text: string): number => lengthWithRuns(text, cut, secret);
      prompt ??= promptTokens(parsedNow().json, cut.runs.size === 0 ? undefined : lengthOf);
      return prompt;
    },
    upload(text) {
      const { runs } = now().cut;
      return runs.size === 0 ? uploadOfText(text) : uploadOfParts(withRuns(text, { runs }, secret));
    },
    whole(text) {
      const { runs } = now().cut;
      if (runs.size === 0) return text;
      return [...withRuns(text, { runs }, secret)]
        .map((part) => typeof part === "string" ? part : decoder.decode(part)).join("");
    },
    drop() {
      held = strong = weak = null;
      release();
    },
  };
}

/** Letters and digits that nobody can guess. */
function newSecret(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, MARK_CHARS - 4);
}
