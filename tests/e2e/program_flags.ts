// SPDX-License-Identifier: GPL-2.0-or-later
/** The permission flags of each program, read from the Makefile, where they stand once. @module */

import { CLEARED, inWorld, replaced } from "./launcher_text.ts";

export const PROJECT = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");

const PRINT_LAUNCHER = `${PROJECT}/shared/packaging/print-launcher`;

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
  "openclaw-ctl": "OPENCLAW_CTL_FLAGS",
  "openclaw-watchdog": "OPENCLAW_WATCHDOG_FLAGS",
} as const;

export type Program = keyof typeof FLAG_VARIABLES;

/** Where this Deno keeps packages; the programs of a world have another home. */
const CACHE = Deno.env.get("DENO_DIR") ??
  `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/deno`;

/** The launcher of a program as it is installed, but that it starts the program's source. */
export function sourceLauncher(
  program: Program,
  source: string,
  more: readonly string[] = [],
): string {
  const [name = ""] = program.split(" ");
  const { stdout } = new Deno.Command("sh", {
    args: [PRINT_LAUNCHER, name, "/nowhere", "bundled", ...programFlags(program)],
    stderr: "inherit",
  }).outputSync();
  const text = inWorld(new TextDecoder().decode(stdout), more);
  // A bundle holds what it imports; a source finds it by the project's own configuration.
  const bundled = "--no-config --no-lock --no-remote --no-npm";
  const fromSource = replaced(
    text,
    bundled,
    `--config=${PROJECT}/deno.json --no-lock --cached-only`,
  );
  const unbundled = replaced(fromSource, CLEARED, `${CLEARED}    DENO_DIR="${CACHE}" \\\n`);
  const withDeno = replaced(unbundled, '"$lib/deno"', `"${Deno.execPath()}"`);
  return replaced(withDeno, `"$lib/${name}.js"`, `"${PROJECT}/${source}"`);
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
