// SPDX-License-Identifier: GPL-2.0-or-later
/** Tools: text files of dom0, where the policy names their paths. @module */

import { DESTROYS, READS, type Tool, WHY } from "../tool.ts";

/** What one answer shows. */
const READ_BYTES = 16 * 1024;
const PATH = { type: "string", description: "absolute path in dom0, without links" } as const;

export const FILE_TOOLS: readonly Tool[] = [
  {
    name: "file_read",
    title: "Read a file of dom0",
    description: "At most 16 KiB of a file of dom0, from offset on; a shorter answer is its end. " +
      "operation_call has file.list and file.stat.",
    parameters: {
      path: PATH,
      "offset?": { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    },
    hints: READS,
    operations: ["file.read"],
    call: (args, desk) =>
      desk.output("file.read", [
        ["path", args.text("path")],
        ["offset", `${args.has("offset") ? args.number("offset") : 0}`],
        ["bytes", `${READ_BYTES}`],
      ]),
  },
  {
    name: "file_write",
    title: "Write a file in dom0",
    description:
      "Make a text file in dom0 with this content, whole or not at all. One that is there " +
      "stays, unless replace is true.",
    parameters: {
      path: PATH,
      content: { type: "string" },
      "replace?": { type: "boolean" },
      "why?": WHY,
    },
    hints: DESTROYS,
    operations: ["file.write", "file.replace"],
    call(args, desk) {
      const name = args.has("replace") && args.flag("replace") ? "file.replace" : "file.write";
      return desk.operation(name, [["path", args.text("path")]], args.text("content"));
    },
  },
];
