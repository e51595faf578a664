// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the packages of Qubes put into a VM for qubes.ConnectTCP, and a logger whose journal is
 * the VM's log. Not in every world: most tests bring services of their own.
 *
 * @module
 */
import { removeIfAny } from "./files.ts";
import type { World } from "./world.ts";
import { writeExecutable } from "../executable.ts";

/** "link": qubes-core-agent since 4.2.33. "script": before. */
export type AgentPackage = "link" | "script";

/** As "dnf install" or an update would: over whatever is there. */
export function installAgentPackage(world: World, vm: string, kind: AgentPackage): void {
  const etc = `${world.vmRoot(vm)}/etc`;
  const service = `${etc}/qubes-rpc/qubes.ConnectTCP`;
  const config = `${etc}/qubes/rpc-config/qubes.ConnectTCP`;
  removeIfAny(service);
  removeIfAny(config);
  if (kind === "script") {
    // What it does with a port that is none is not of interest here.
    const text = '#!/bin/sh\nexec socat STDIO TCP:localhost:"$1"\n';
    writeExecutable(service, text);
    return;
  }
  Deno.symlinkSync("/dev/tcp/127.0.0.1", service);
  Deno.writeTextFileSync(config, "skip-service-descriptor=true\nexit-on-service-eof=true\n");
}

/** logger(1) of the VMs: one line in the log of the VM it is called in. */
export function installLogger(world: World): void {
  const script = `#!/bin/sh
while [ "$1" != -- ]; do shift; done
printf '%s logger: %s\\n' now "$2" >>"${world.folder}/vms/$QUBES_SIM_VM/log"
`;
  writeExecutable(`${world.vmBin}/logger`, script);
}
