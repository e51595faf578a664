// SPDX-License-Identifier: GPL-2.0-or-later
/** @module */

/** Words before a command: it runs in a network of its own, with a loopback and nothing else. */
export const OWN_NETWORK = [
  ...["unshare", "--net", "--", "/bin/sh", "-c", 'ip link set lo up && exec "$@"', "sh"],
] as const;
