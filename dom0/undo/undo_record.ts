// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What is kept of one operation so that it can be taken back: what was asked, what was there before
 * it ran and after, and how far an undo of it has come. On disk it is JSON. Pure.
 *
 * @module
 */

import { newerFormat } from "../../shared/io/state_formats.ts";
import type { JsonValue } from "../operations/operation.ts";
import type { Value } from "../operations/parameter.ts";
import type { Values } from "../operations/spelling.ts";

/**
 *     kept      nobody has undone it
 *     undoing   an undo runs, or was cut off
 *     partly    an undo failed on its way, or what is there now is not what was there before
 *     undone    what is there is what was there before: it was looked at
 */
export type UndoStatus = "kept" | "undoing" | "partly" | "undone";
/** In each record, too. */
export const UNDO_VERSION = 1;
const STATUSES: readonly string[] = ["kept", "undoing", "partly", "undone"];

/** What was read; null: it could not be. */
export type Seen = { readonly value: JsonValue } | null;

export interface UndoRecord {
  /** The VM that asked; "dom0" for an undo of an operator. */
  readonly vm: string;
  /** The request's. */
  readonly id: string;
  /** Of a plan or an undo, from 1 on; null for a request that is one operation. */
  readonly step: number | null;
  readonly atMs: number;
  readonly operation: string;
  readonly values: Values;
  readonly before: Seen;
  readonly after: Seen;
  /** Its exit code; null: it runs, or was cut off, so it may be done or not. */
  readonly exitCode: number | null;
  readonly status: UndoStatus;
  /** Steps of the way back that are done. */
  readonly stepsBack: number;
}

/** "work-20261122-091500-1-00000001-2": a file's name, and unlike any other's. */
export function nameOfRecord({ vm, id, step }: Pick<UndoRecord, "vm" | "id" | "step">): string {
  return step === null ? `${vm}-${id}` : `${vm}-${id}-${step}`;
}

export function undoRecordText(record: UndoRecord): string {
  return JSON.stringify({
    version: UNDO_VERSION,
    ...record,
    values: Object.fromEntries(record.values),
  }) +
    "\n";
}

/**
 * null: it is no such record.
 *
 * @param path for the error
 * @throws {ConfigError} a newer program wrote it
 */
export function parseUndoRecord(text: string, path: string): UndoRecord | null {
  let read: Record<string, unknown>;
  try {
    read = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof read !== "object" || read === null) return null;
  const { version } = read;
  if (typeof version === "number" && version > UNDO_VERSION) {
    throw newerFormat(path, version, UNDO_VERSION);
  }
  if (version !== UNDO_VERSION) return null;
  const { vm, id, step, atMs, operation, values, before, after, exitCode, status, stepsBack } =
    read;
  if (
    typeof vm !== "string" || typeof id !== "string" || !isNumberOrNull(step) ||
    typeof atMs !== "number" || typeof operation !== "string" || !isValues(values) ||
    !isSeen(before) || !isSeen(after) || !isNumberOrNull(exitCode) || !isStatus(status) ||
    typeof stepsBack !== "number"
  ) return null;
  return {
    vm,
    id,
    step,
    atMs,
    operation,
    before,
    after,
    exitCode,
    status,
    stepsBack,
    values: new Map(Object.entries(values)),
  };
}

function isNumberOrNull(value: unknown): value is number | null {
  return value === null || typeof value === "number";
}

function isStatus(value: unknown): value is UndoStatus {
  return typeof value === "string" && STATUSES.includes(value);
}

function isSeen(value: unknown): value is Seen {
  return value === null || (typeof value === "object" && "value" in value);
}

function isValues(value: unknown): value is Record<string, Value> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((one) => ["string", "number", "boolean"].includes(typeof one));
}
