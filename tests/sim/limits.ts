// SPDX-License-Identifier: GPL-2.0-or-later
/** Every limit of the simulation, with where the number comes from. @module */

/** Largest data message; 64 KiB is qrexec's own (reference/qrexec.md 4.4). */
export const MAX_DATA_BYTES = 64 * 1024;
/** Longest command line that leaves the VM's control channel alive (4.4). */
export const MAX_COMMAND_BYTES = 4087;
/** Above this the daemon only drops the client, and stays well (4.4). */
export const MAX_DAEMON_MESSAGE_BYTES = 65526;
/** A call frame is JSON, in which each byte may become an escape of six. */
export const MAX_CALL_FRAME_BYTES = 1024 * 1024;
/** How long qrexec-client waits for a call to be set up, unless -w says (4.1). */
export const CONNECT_TIMEOUT_S = 10;
/** Calls a VM can have open on real Xen: issue 11059 says 10 to 25 (3.4). */
export const DEFAULT_MAX_CALLS = 20;
/** Longest "service+argument" (MAX_SERVICE_NAME_LEN in qrexec). */
export const MAX_SERVICE_DESCRIPTOR_BYTES = 1024;
/** Longest service name without the argument (NAME_MAX). */
export const MAX_SERVICE_NAME_BYTES = 255;
/** Longest path in a socket's address, without the final NUL. */
export const MAX_SOCKET_PATH_BYTES = 107;
/** What processes get between TERM and KILL when a VM shuts down. */
export const SHUTDOWN_GRACE_MS = 500;
