// SPDX-License-Identifier: GPL-2.0-or-later
/** Modes of what only its owner may read. Apart, for programs that run without @std. @module */

export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;
/** Bits of a mode that let others in. */
export const GROUP_OR_OTHER = 0o077;
