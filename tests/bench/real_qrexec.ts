// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One simulated VM behind a real qrexec, for the bench of transfers: OPENCLAW_BENCH_QREXEC names a VM
 * whose qrexec-agent runs on this machine, OPENCLAW_BENCH_RPC the folder in which that agent finds its
 * services, and qrexec-client is on PATH. The VM's files and programs stay those of the simulation;
 * what dom0 calls in it goes through the real programs.
 *
 * @module
 */

import { writeExecutable } from "../executable.ts";
import type { World } from "../sim/world.ts";

const SERVICE = "qvmremote.Queue";

export interface RealQrexec {
  /** A command of the VM, as "qvm-run --pass-io" calls it: a shell command. */
  call(command: string): string;
  /** Takes back what was installed. */
  remove(): void;
}

/** To be called before dom0's daemon starts. @returns null if none is named */
export function useRealQrexec(world: World, vm: string): RealQrexec | null {
  const [real, rpc] = ["OPENCLAW_BENCH_QREXEC", "OPENCLAW_BENCH_RPC"].map((name) =>
    Deno.env.get(name)
  );
  if (real === undefined) return null;
  if (rpc === undefined) throw new Error("OPENCLAW_BENCH_RPC must name the folder of the services");
  const variables = Object.entries(world.vmEnv(vm)).map(([name, value]) => `${name}='${value}'`);
  const program = `${world.vmRoot(vm)}/etc/qubes-rpc/${SERVICE}`;
  const service = `${rpc}/${SERVICE}`;
  writeExecutable(service, `#!/bin/sh\nexec env ${variables.join(" ")} '${program}' "$@"\n`);
  const simulated = `${world.dom0Bin}/qrexec-client`;
  Deno.renameSync(simulated, `${simulated}.simulated`);
  writeExecutable(
    simulated,
    `#!/bin/sh
[ "$2" = '${vm}' ] || exec "$0.simulated" "$@"
shift 2
exec /usr/bin/env PATH='${Deno.env.get("PATH")}' qrexec-client -d '${real}' "$@"
`,
  );
  return {
    call: (command) => `'${simulated}' -d '${vm}' "DEFAULT:${command}"`,
    remove: () => Deno.removeSync(service),
  };
}
