// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a person reads before answering: the same text on a terminal and in the dialog. Bytes that a
 * terminal, or an eye, may take for something else are shown by their numbers. Pure.
 *
 * @module
 */

import { shellQuote } from "../../shared/protocol/command.ts";
import { LIVE } from "../../shared/protocol/payload.ts";
import type { JsonValue } from "../operations/operation.ts";
import type { ParkedView } from "./parked_view.ts";
import type { PreviewRow } from "./preview.ts";

/** @param script of a request that is one; null: it runs words */
export function presentRequest(view: ParkedView, script: Uint8Array | null): string {
  const { number, vm, id, operation, summary, level, why, rule, timeoutMs } = view;
  return [
    `Request ${number} of ${vm} waits for an answer`,
    "",
    `  what      ${operation}: ${summary} (${level})`,
    `  targets   ${view.targets.join(", ")}`,
    `  reason    ${why === null ? "none given" : `${visibleLine(why)}   (says ${vm})`}`,
    `  rule      ${rule}`,
    `  limit     ${timeoutMs / 1000} s`,
    `  lasting   ${
      view.destructive ? "it destroys or interrupts something" : "nothing is destroyed"
    }`,
    `  undo      ${view.undo}`,
    `  expires   ${new Date(view.expiresAtMs).toISOString()}`,
    `  id        ${id}`,
    "",
    ...whatRuns(view, script),
    ...whatItBrings(view),
    ...preview(view),
  ].join("\n") + "\n";
}

function whatRuns({ argvs, steps }: ParkedView, script: Uint8Array | null): readonly string[] {
  if (steps !== null) {
    return [
      "It does these, one after another, each only if the one before succeeded:",
      ...steps.map((step) => `  ${visibleLine(step)}`),
      "",
      "As far as it is known now, this runs as root in dom0, without a shell:",
      ...(argvs ?? []).map((argv) => `  ${visibleLine(shellQuote(argv))}`),
    ];
  }
  if (argvs !== null) {
    return [
      "It runs, as root in dom0, without a shell:",
      ...argvs.map((argv) => `  ${visibleLine(shellQuote(argv))}`),
    ];
  }
  const lines = script === null ? ["(the script cannot be read)"] : visibleScript(script);
  return [
    `It runs this script, as root in dom0, by bash (${script?.length ?? 0} bytes):`,
    ...lines.map((line, index) => `${String(index + 1).padStart(4)} | ${line}`),
  ];
}

function whatItBrings(view: ParkedView): readonly string[] {
  const lines = broughtLines(view);
  return lines.length === 0 ? [] : ["", ...lines];
}

/** What it reads on stdin, if it brings something. */
export function broughtLines({ vm, brings }: Pick<ParkedView, "vm" | "brings">): readonly string[] {
  if (brings === null) return [];
  if (brings === LIVE) {
    return [
      "It reads a live stream on stdin: what comes is not there yet, and cannot be shown. Each part of",
      `it is checked to be from ${vm} when it comes.`,
    ];
  }
  const { bytes, sha256, type, head, isWhole } = brings;
  return [
    `It reads this on stdin: ${type}, ${bytes} bytes, SHA-256 ${sha256}`,
    ...head.map((line) => `     | ${visibleLine(line)}`),
    ...isWhole ? [] : ["     (and so on)"],
  ];
}

function preview({ preview: { rows, unknown } }: ParkedView): readonly string[] {
  if (rows.length === 0 && unknown.length === 0) return [];
  return [
    "",
    "What would change, as dom0 reads it now:",
    ...rows.flatMap(rowLines),
    ...unknown.map((text) => `  not known: ${visibleLine(text)}`),
  ];
}

function rowLines({ what, before, after }: PreviewRow): readonly string[] {
  const is = valueText(before);
  if (after === undefined) return [`  ${visibleLine(what)}: ${is}`];
  if (after === null && before !== null) return [`  ${visibleLine(what)}: ${is} -> gone`];
  return [`  ${visibleLine(what)}: ${is} -> ${valueText(after)}`];
}

/** A property is shown by its value, other records as JSON. */
function valueText(value: JsonValue): string {
  if (value === null) return "nothing";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "object") return visibleLine(String(value));
  if ("value" in value && "isDefault" in value) {
    return `${visibleLine(String(value["value"] ?? "nothing"))}` +
      `${value["isDefault"] === true ? " (the default)" : ""}`;
  }
  return visibleLine(JSON.stringify(value));
}

/** Begins what belongs to the line before. No other line does so: VMs write no line of their own. */
const GOES_ON = "   ... ";

/** No line is longer, and nothing is left out. */
export function foldLines(text: string, columns: number): string {
  const rest = columns - GOES_ON.length;
  return text.split("\n").flatMap((line) => {
    const parts = [line.slice(0, columns)];
    for (let at = columns; at < line.length; at += rest) {
      parts.push(GOES_ON + line.slice(at, at + rest));
    }
    return parts;
  }).join("\n");
}

/** Everything but plain ASCII is shown by its number: no look-alikes, no changes of direction. */
export function visibleLine(untrustedText: string): string {
  return untrustedText.replace(/[^\x20-\x7e]/gu, escaped);
}

function escaped(char: string): string {
  return `\\u{${char.codePointAt(0)?.toString(16) ?? ""}}`;
}

/** The lines of a script; bytes that are no UTF-8 are shown as \x and two digits. */
function visibleScript(untrustedScript: Uint8Array): readonly string[] {
  const text = decodeOrNull(untrustedScript) ?? latin1(untrustedScript);
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => visibleLine(line.replaceAll("\t", "    ")));
}

function decodeOrNull(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
