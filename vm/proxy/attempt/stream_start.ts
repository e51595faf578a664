// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The beginning of a provider's stream, held back until it has content: until then another provider
 * may be asked, and nobody has seen anything. Comments, the role of who speaks, "created", pings and
 * an empty first block are no content; an error among them is this provider's failure.
 *
 * @module
 */

import { UpstreamFailure } from "../exchange.ts";
import type { Bytes, ByteSource } from "../bytes.ts";
import { createSseSplitter, type SseEvent } from "../stream/sse.ts";
import { fault, mayRetry, readFault } from "../translate/fault.ts";
import { parsedObject } from "../translate/json_node.ts";
import { isObject } from "../../settings/shape.ts";
import { emptyAnswer } from "./upstream_failure.ts";

/** A longer beginning is passed on: no API has an opening event of that size. */
const MAX_HELD_BYTES = 256 * 1024;

type Json = Readonly<Record<string, unknown>>;

/**
 * @param alive to be called when bytes have come and more are waited for
 * @returns all of the stream
 * @throws {UpstreamFailure} if it fails, or ends without having said that it is whole
 */
export async function heldUntilContent(
  source: ByteSource,
  alive: () => void,
): Promise<ByteSource> {
  const splitter = createSseSplitter();
  const held: Bytes[] = [];
  let length = 0;
  try {
    while (length < MAX_HELD_BYTES) {
      const bytes = await source.read();
      if (bytes === null) {
        if (length === 0) throw emptyAnswer();
        if (!splitter.end().some(isBegun)) throw brokeOff();
        break;
      }
      held.push(bytes);
      length += bytes.length;
      if (splitter.push(bytes).some(isBegun)) break;
      alive();
    }
  } catch (error) {
    source.cancel();
    throw error;
  }
  return startingWith(held, source);
}

function brokeOff(): UpstreamFailure {
  return new UpstreamFailure(
    fault("overloaded", "the provider broke off before its answer had begun"),
    { counts: true },
  );
}

/** @throws {UpstreamFailure} if it is an error */
function isBegun({ data, event }: SseEvent): boolean {
  if (data === null) return false;
  if (data === "[DONE]") return true;
  const json = parsedObject(data);
  const error = json === null ? (event === "error" ? data : null) : errorOf(json);
  if (error !== null) {
    const found = readFault(undefined, error);
    throw new UpstreamFailure(found, { counts: mayRetry(found) });
  }
  if (json === null) return true; // the reader will report what is wrong
  return typeof json["type"] === "string" ? isTypedContent(json) : isChatContent(json);
}

/** {"error": …} of all, {"type": "error"}, "response.failed", and finish_reason "error". */
function errorOf(json: Json): unknown {
  const { error, type, response, choices } = json;
  if (isObject(error) || (typeof error === "string" && error !== "")) return json;
  if (type === "error") return { error: json };
  if (type === "response.failed" && isObject(response)) return { error: response["error"] };
  const failed = listOf(choices).find((choice) => choice["finish_reason"] === "error");
  return failed === undefined ? null : { error: failed["error"] ?? UNNAMED };
}

const UNNAMED = { message: "its answer ended with an error" };

const EMPTY_TYPES: ReadonlySet<unknown> = new Set([
  "message_start",
  "ping",
  "keepalive",
  "response.created",
  "response.queued",
  "response.in_progress",
]);

function isTypedContent({ type, content_block: block, item, part }: Json): boolean {
  if (EMPTY_TYPES.has(type)) return false;
  if (type === "content_block_start") return !isEmptyBlock(block);
  if (type === "response.output_item.added") return !isEmptyBlock(item);
  if (type === "response.content_part.added") return !isEmptyBlock(part);
  return true;
}

const EMPTY_BLOCKS: ReadonlySet<unknown> = new Set([
  "text",
  "thinking",
  "message",
  "reasoning",
  "output_text",
]);

/** A block that has begun and holds nothing yet. A tool call has its name from the start. */
function isEmptyBlock(block: unknown): boolean {
  return isObject(block) && EMPTY_BLOCKS.has(block["type"]) &&
    Object.values(block).every((value) => !isObject(value)) &&
    (block["text"] ?? "") === "" && (block["thinking"] ?? "") === "";
}

const NO_CONTENT: ReadonlySet<string> = new Set(["role", "name"]);

function isChatContent({ choices }: Json): boolean {
  return listOf(choices).some(({ delta, finish_reason, text }) =>
    typeof finish_reason === "string" || (typeof text === "string" && text !== "") ||
    (isObject(delta) &&
      Object.entries(delta).some(([name, value]) => !NO_CONTENT.has(name) && hasContent(value)))
  );
}

function hasContent(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return false;
  return !Array.isArray(value) || value.length > 0;
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** What was read already, and then the rest. */
export function startingWith(first: readonly Bytes[], source: ByteSource): ByteSource {
  let next = 0;
  return {
    read() {
      const ready = first[next];
      if (ready === undefined) return source.read();
      next++;
      return Promise.resolve(ready);
    },
    cancel: () => source.cancel(),
  };
}
