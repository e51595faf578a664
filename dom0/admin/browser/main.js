// SPDX-License-Identifier: GPL-2.0-or-later
/** On every page: what is live, the keys, the dialogs, the palette. */

import { startCountdown } from "./countdown.js";
import { startDialogs } from "./dialogs.js";
import { startKeyboard } from "./keyboard.js";
import { startLive } from "./live.js";
import { startNotifying } from "./notify.js";
import { startPalette } from "./palette.js";

startDialogs();
startCountdown();
startPalette();
startKeyboard();
startNotifying();
startLive();
