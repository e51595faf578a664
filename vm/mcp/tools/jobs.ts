// SPDX-License-Identifier: GPL-2.0-or-later
/** Tools: requests that were sent and are not at their end, or whose output is longer than an answer. @module */

import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { idOfName } from "../../remote/files/queue_entry.ts";
import { ArgumentError, type Arguments, type Parameter } from "../arguments.ts";
import { CHANGES, READS, type Tool } from "../tool.ts";

const ID: Parameter = { type: "string", maxLength: 64, description: "id that a tool gave" };
const MAX_WAIT_SECONDS = 25;

export const JOB_TOOLS: readonly Tool[] = [
  {
    name: "job_get",
    title: "Look at a job",
    description: "How far a request is, and its output. For output that was cut, give its " +
      "nextOffset as offset; of a plan, its steps that have ended, with steps: true.",
    parameters: {
      id: ID,
      "offset?": { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
      "steps?": { type: "boolean" },
    },
    hints: READS,
    operations: [],
    call(args, desk) {
      const offset = args.has("offset") ? args.number("offset") : 0;
      return desk.look(jobId(args), offset, args.flag("steps"));
    },
  },
  {
    name: "job_wait",
    title: "Wait for a job",
    description: "Wait for the end of a request that is running or pending_approval. Still so " +
      "after the wait: call it again, or tell the user who must approve in dom0. A refusal has its " +
      "reason: do not repeat the request.",
    parameters: {
      id: ID,
      "seconds?": { type: "integer", minimum: 1, maximum: MAX_WAIT_SECONDS },
    },
    hints: READS,
    operations: [],
    call: (args, desk) =>
      desk.wait(jobId(args), args.has("seconds") ? args.number("seconds") : MAX_WAIT_SECONDS),
  },
  {
    name: "job_cancel",
    title: "Cancel a job",
    description: "End a request in dom0, or take it back before a person decided.",
    parameters: { id: ID },
    hints: { ...CHANGES, destructiveHint: true },
    operations: [],
    call: (args, desk) => desk.cancel(jobId(args)),
  },
];

export function jobId(args: Arguments): RequestId {
  const id = idOfName(args.text("id"));
  if (id === undefined) throw new ArgumentError("the parameter id is no id of a job");
  return id;
}
