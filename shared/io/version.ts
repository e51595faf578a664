// SPDX-License-Identifier: GPL-2.0-or-later
/** The version of all programs of this project. @module */

export const VERSION = "2.0.0";
