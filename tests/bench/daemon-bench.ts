// SPDX-License-Identifier: GPL-2.0-or-later
/** What parts of the daemon cost, without the rest of "make bench". @module */

import { benchDaemonParts } from "./daemon_parts.ts";
import { startReport } from "./measure.ts";

if (import.meta.main) await benchDaemonParts(startReport().add);
