// SPDX-License-Identifier: GPL-2.0-or-later
/** What is said of a job: how it ended or how far it is, with an excerpt of its output. @module */

import { ifPresentSync, isPresent } from "../../shared/io/sync_files.ts";
import type { OutcomeKind } from "../../shared/protocol/outcome.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import type { EndText } from "../remote/client/end_text.ts";
import type { RequestEnd } from "../remote/client/run_request.ts";
import type { AnswerForm } from "../remote/files/answer_form.ts";
import { historyFolder, type Layout, resultPath } from "../remote/files/layout.ts";
import {
  type Excerpt,
  readErrors,
  readExcerpt,
  readWhole,
  reasonText,
  visibleValue,
} from "./output.ts";
import type { Said, Status } from "./said.ts";

const NOT_TAKEN = "dom0 has not taken it yet: it is busy, or this VM has asked too much";

export function saidOfGoing(
  layout: Layout,
  id: RequestId,
  isParked: boolean,
  offset: number,
): Said {
  if (isParked) return { status: "pending_approval", id };
  if (isPresent(`${layout.pending}/${id}`)) return { status: "running", id, reason: NOT_TAKEN };
  const excerpt = readExcerpt(resultPath(layout, id, "out"), offset);
  return { status: "running", id, ...outputOf(excerpt) };
}

interface Ended {
  readonly id: RequestId;
  readonly form: AnswerForm;
  readonly end: RequestEnd;
  readonly text: EndText;
}

/** @param ended whose answer is in the history */
export function saidOfEnd(layout: Layout, { id, form, end, text }: Ended): Said {
  const folder = historyFolder(layout, id);
  const status = statusOf(end, text.exitCode);
  const said = saidOfFiles(folder, id, status, { form, offset: 0 });
  const errors = said.untrustedErrors ?? "";
  // Then dom0's daemon wrote it. Of all else it is what the command wrote, and no reason of ours.
  const isExplained = status === "refused";
  const reason = [...text.messages, ...isExplained ? [errors] : []].join("\n");
  const { untrustedErrors: _told, ...others } = said;
  return {
    ...(isExplained ? others : said),
    ...reason === "" ? {} : { reason: reasonText(reason) },
    exitCode: text.exitCode,
  };
}

/** What the history has; null if it has nothing of that id. */
export function saidOfPast(
  layout: Layout,
  id: RequestId,
  asked: { readonly offset: number; readonly form: AnswerForm },
): Said | null {
  const folder = historyFolder(layout, id);
  const meta = textOf(`${folder}/meta`);
  if (meta === null) return null;
  const field = (name: string) => new RegExp(`^${name}=([a-z0-9-]{1,40})$`, "m").exec(meta)?.[1];
  const exitCode = Number(field("exit_code") ?? 1);
  const status = STATUS_OF_KIND.get(field("outcome") as OutcomeKind) ?? "failed";
  const isFailed = status === "done" && exitCode !== 0;
  return {
    ...saidOfFiles(folder, id, isFailed ? "failed" : status, asked),
    exitCode,
  };
}

function saidOfFiles(
  folder: string,
  id: RequestId,
  status: Status,
  { form, offset }: { readonly form: AnswerForm; readonly offset: number },
): Said {
  const hasValue = form !== "output" && offset === 0 && (status === "done" || form === "plan");
  const value = hasValue ? valueOf(form, readWhole(`${folder}/out`)) : undefined;
  const errors = offset === 0 ? readErrors(`${folder}/err`) : "";
  return {
    status,
    id,
    ...value === undefined ? outputOf(readExcerpt(`${folder}/out`, offset)) : { value },
    ...errors === "" ? {} : { untrustedErrors: errors },
  };
}

function outputOf({ text, totalBytes, nextOffset }: Excerpt): Partial<Said> {
  if (totalBytes === 0) return {};
  const isCut = nextOffset !== null;
  return { untrustedOutput: text, truncated: isCut, totalBytes, ...isCut ? { nextOffset } : {} };
}

/** undefined: it is none. */
function valueOf(form: AnswerForm, text: string | null): unknown {
  if (text === null) return undefined;
  const lines = form === "plan" ? text.trimEnd().split("\n") : [text];
  try {
    const values = lines.map((line) => visibleValue(JSON.parse(line)));
    return form === "plan" ? values : values[0];
  } catch {
    return undefined;
  }
}

const STATUS_OF_KIND: ReadonlyMap<OutcomeKind, Status> = new Map<OutcomeKind, Status>([
  ["done", "done"],
  ["refused", "refused"],
  ["cancelled", "cancelled"],
]);

function statusOf(end: RequestEnd, exitCode: number): Status {
  if (end.kind === "withdrawn") {
    return end.cause === "not-connected" ? "not_connected" : "cancelled";
  }
  if (end.kind !== "answered") return "failed";
  const status = STATUS_OF_KIND.get(end.outcome.kind) ?? "failed";
  return status === "done" && exitCode !== 0 ? "failed" : status;
}

function textOf(path: string): string | null {
  return ifPresentSync(() => Deno.readTextFileSync(path)) ?? null;
}
