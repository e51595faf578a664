// SPDX-License-Identifier: GPL-2.0-or-later
/** @module */

/** Words before a command: it runs in a network of its own, with a loopback and nothing else. */
export const OWN_NETWORK = [
  ...["unshare", "--net", "--", "/bin/sh", "-c", 'ip link set lo up && exec "$@"', "sh"],
] as const;

/** That takes root, unshare and ip. */
export async function canMakeNetworks(): Promise<boolean> {
  if (Deno.uid() !== 0) return false;
  const [program, ...args] = OWN_NETWORK;
  const command = new Deno.Command(program, { args: [...args, "true"] });
  return await command.output().then(({ success }) => success, () => false);
}
