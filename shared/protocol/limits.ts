// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Every limit of protocol 2. Each is checked before memory is spent on what it limits.
 *
 * @module
 */

/** The original's limit for a command, kept: copy anything larger as a file. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** The reason a VM gives: one line that a person reads. A character of UTF-8 has 4 bytes at most. */
export const MAX_WHY_CHARS = 200;
export const MAX_WHY_BYTES = 4 * MAX_WHY_CHARS;
/** An envelope's header is some 300 bytes, and a reason: its values have largest lengths. */
export const MAX_HEADER_BYTES = 1280;
export const MAX_ENVELOPE_BYTES = MAX_HEADER_BYTES + MAX_BODY_BYTES;

/** Output per frame. Half a vchan buffer of 64 KiB, so that two commands interleave well. */
export const MAX_OUTPUT_CHUNK_BYTES = 32 * 1024;
/** Output of one request that dom0 may have sent and the VM has not yet written to its file. */
export const OUTPUT_WINDOW_BYTES = 256 * 1024;

/** The same where both sides are `wide`: frames cost more than bytes; other requests wait a millisecond. */
export const MAX_WIDE_OUTPUT_CHUNK_BYTES = 256 * 1024;
export const WIDE_OUTPUT_WINDOW_BYTES = 4 * 1024 * 1024;

/** A payload: 1 TiB. The daemon allows far less. */
export const MAX_PAYLOAD_BYTES = 1024 ** 4;
/** Payload per frame: large, as frames cost more than bytes; other requests wait a millisecond. */
export const MAX_PAYLOAD_CHUNK_BYTES = 256 * 1024;
/** Payload of one request that dom0 may have asked for and not got: what the VM may read ahead. */
export const PAYLOAD_WINDOW_BYTES = 2 * 1024 * 1024;

/** One chunk of a live stream, for the same reason. Each has a MAC, and is made of what is there. */
export const MAX_CHUNK_BYTES = 512 * 1024;
/** Of one live stream, on their way: sent by the VM, and not confirmed by dom0. */
export const CHUNK_WINDOW_BYTES = 2 * 1024 * 1024;
export const CHUNK_WINDOW_CHUNKS = 64;

/** As the kernel has them: PATH_MAX without its NUL, NAME_MAX. */
export const MAX_PATH_BYTES = 4095;
export const MAX_PATH_PART_BYTES = 255;

/** Longest stream of one request: the offset of a frame has 32 bits. */
export const MAX_STREAM_BYTES = 0xffff_ffff;

/** Fixed frames (hello, credit, ping, window …) are shorter than this. */
export const MAX_SMALL_FRAME_BYTES = 128;
/** ".meta" has a closed set of lines; the longest value is a SHA-256 in hex. */
export const MAX_META_BYTES = 1024;
/** A queue listing for the operator: 200 lines of at most 128 bytes each. */
export const MAX_LISTING_BYTES = 32 * 1024;
/** What a listing shows of a file name. A name made of an id has 43 at most. */
export const MAX_LISTED_NAME_BYTES = 120;

/** Words in which a peer says what it can, all in one small frame. */
export const MAX_CAPABILITIES = 8;
export const MAX_CAPABILITY_CHARS = 15;

/** Requests a VM may have open at once (sent, and no acknowledged outcome). */
export const MAX_OPEN_REQUESTS = 64;

/** Longest and shortest wall-clock time a request may ask for. The daemon caps it further. */
export const MAX_TIMEOUT_MS = 24 * 3600 * 1000;
export const MIN_TIMEOUT_MS = 1;

/** A request older than this is refused. Covers a daemon restart and a slow VM, not a replay. */
export const MAX_REQUEST_AGE_MS = 300_000;
/** How far a VM's clock may be ahead. Qubes synchronises clocks to well under this. */
export const MAX_REQUEST_LEAD_MS = 60_000;
/** Protocol 1 dates its ids in local time without a zone: 14 hours is the widest zone. */
export const MAX_V1_SKEW_MS = 14 * 3600 * 1000 + MAX_REQUEST_AGE_MS;

/** dom0 pings an idle session this often; the only timer of an idle system. */
export const PING_INTERVAL_MS = 20_000;
/** A session with no sign of life for this long is over (a paused VM is silent). */
export const SILENCE_LIMIT_MS = 65_000;
