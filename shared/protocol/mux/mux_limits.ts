// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Every limit of the mux protocol. Each is checked before memory is spent on what it limits.
 *
 * @module
 */

/** Half a vchan ring of 64 KiB: a chat's frame waits behind few bytes of a download. */
export const MAX_MUX_DATA_BYTES = 32 * 1024;
/** Every frame but DATA is shorter than this. */
export const MAX_MUX_SMALL_BYTES = 32;

/** The most streams of a session, whatever a side offers: 16-bit ids would do. */
export const MAX_MUX_STREAMS = 65_535;
/** What the VM's side offers: more than the tunnel ever opens at once. */
export const MUX_STREAMS = 1_100;

/** What a side may send on a new stream before it gets more credit: a chat's request or answer. */
export const MUX_FIRST_WINDOW_BYTES = 32 * 1024;
/** How far a stream that is read grows: what a fast pipe carries in a turn of some ms. */
export const MUX_WINDOW_BYTES = 1024 * 1024;
/** What all streams of a session may have above their first windows, together. */
export const MUX_WINDOW_BUDGET_BYTES = 16 * 1024 * 1024;
/** The most credit a side may ever have; more is a mistake or an attack. */
export const MAX_MUX_WINDOW_BYTES = 4 * 1024 * 1024;

/** While streams are open the tunnel pings a silent VM this often. An idle session is silent. */
export const MUX_PING_INTERVAL_MS = 10_000;
/** A session with open streams and no sign of life for this long is over (a VM was paused). */
export const MUX_SILENCE_LIMIT_MS = 35_000;
