// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote mcp` is another program, which the launcher starts for that first word. @module */

import { UsageError } from "../../../shared/cli/program.ts";

export function mcp(): Promise<number> {
  throw new UsageError("mcp takes no options, and none before it", [
    'an MCP client starts "qvm-remote mcp"',
  ]);
}
