// SPDX-License-Identifier: GPL-2.0-or-later
/** The permission flags of each program, read from the Makefile, where they stand once. @module */

export const PROJECT = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");

/** Programs, and the Makefile's variable with their flags. */
export const FLAG_VARIABLES = {
  "qvm-remote-dom0": "QVM_REMOTE_DOM0_FLAGS",
  "setup-dom0": "SETUP_DOM0_FLAGS",
  "qvm-remote": "QVM_REMOTE_FLAGS",
  "qvmremote.Queue": "QVMREMOTE_QUEUE_FLAGS",
  "openclaw-tunnel": "OPENCLAW_TUNNEL_DOM0_FLAGS",
  "openclaw-tunnel in a VM": "OPENCLAW_TUNNEL_VM_FLAGS",
  "openclaw.Mux": "OPENCLAW_MUX_FLAGS",
  "openclaw.MuxPerVm": "OPENCLAW_MUX_PER_VM_FLAGS",
  "openclaw-ports": "OPENCLAW_PORTS_FLAGS",
  "openclaw-connect": "OPENCLAW_CONNECT_FLAGS",
  "openclaw-proxy": "OPENCLAW_PROXY_FLAGS",
  "setup-vm": "SETUP_VM_FLAGS",
  "openclaw-wait-ready": "OPENCLAW_WAIT_READY_FLAGS",
} as const;

export type Program = keyof typeof FLAG_VARIABLES;

/** A script that starts a program's source with its permissions, as an installed launcher does. */
export function sourceLauncher(program: Program, source: string): string {
  const flags = programFlags(program).map((flag) => {
    const words = flag.replaceAll("@HOME@", "$HOME").replaceAll("@ROOT@", "$QUBES_CLAW_ROOT")
      .replaceAll("@RUNTIME@", "${XDG_RUNTIME_DIR:-/run/user/none}")
      .replaceAll("@CALLER@", "$QREXEC_REMOTE_DOMAIN");
    return `"${words}"`;
  });
  return `#!/bin/sh\nexec "${Deno.execPath()}" run --quiet --no-check --no-lock ` +
    `${flags.join(" ")} "${PROJECT}/${source}" "$@"\n`;
}

/** @HOME@, @ROOT@, @RUNTIME@ and @CALLER@ stay as they are. */
export function programFlags(program: Program): readonly string[] {
  const makefile = Deno.readTextFileSync(`${PROJECT}/Makefile`);
  const valueOf = (name: string): string => {
    const value = new RegExp(`^${name} := (.*)$`, "m").exec(makefile)?.[1];
    if (value === undefined) throw new Error(`the Makefile has no ${name}`);
    return value.replace(/\$\(([A-Z0-9_]+)\)/g, (_, inner: string) => valueOf(inner));
  };
  return valueOf(FLAG_VARIABLES[program]).split(/\s+/);
}
