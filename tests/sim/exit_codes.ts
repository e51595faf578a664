// SPDX-License-Identifier: GPL-2.0-or-later
/** Exit codes with a meaning of their own (reference/qrexec.md 4.1). @module */

/** The call could not be made, or the service could not be started. */
export const EXIT_PROBLEM = 125;
/** The policy refused the call. */
export const EXIT_REFUSED = 126;
/** There is no such service, or its interpreter is missing. */
export const EXIT_NOT_FOUND = 127;
/** The VM went away in the middle of the call. */
export const EXIT_LOST = 255;
