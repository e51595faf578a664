// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of openclaw-tunnel, the same in dom0 and in a VM. @module */

import { type OpenclawConf, readFirstConf } from "../io/openclaw_conf.ts";
import { unknownCommand } from "../cli/did_you_mean.ts";
import { expectWords, type ParsedWords, parseNumber, parseWords } from "../cli/options.ts";
import { ConfigError, EXIT_FAILED, EXIT_OK, UsageError } from "../cli/program.ts";
import type { Notifier } from "../io/sd_notify.ts";
import { parsePortRoute, type PortRoute } from "../io/tcp_port.ts";
import { VERSION } from "../io/version.ts";
import { printable } from "../protocol/printable.ts";
import { ProtocolError } from "../protocol/refusal.ts";
import { checkPorts, checkText } from "./check.ts";
import {
  CHECK_OPTIONS,
  DEFAULT_MAX_CONNECTIONS,
  MOST_CONNECTIONS,
  STATUS_OPTIONS,
  TUNNEL_COMMANDS,
  TUNNEL_HELP,
  TUNNEL_OPTIONS,
} from "./cli_table.ts";
import type { Place, Target } from "./place.ts";
import type { PortState } from "./carry/port_account.ts";
import { runTunnel } from "./run_tunnel.ts";
import { readStates } from "./state_file.ts";
import { statusText } from "./status_text.ts";

export const PROGRAM = "openclaw-tunnel";

export interface TunnelProgram {
  readonly place: Place;
  /** The first of them that exists is the configuration. */
  readonly confFiles: readonly string[];
  /** Below one of these every running tunnel has a folder: the system's, this user's. */
  readonly runFolders: readonly string[];
  /** Where this user may make one. */
  readonly ownRunFolder: string;
  /** This process's, from systemd; undefined by hand. */
  readonly stateFolder: string | undefined;
  /** xen_gntalloc.limit of this machine, as far as it is known. */
  readonly grantPages: number;
  readonly notifier: Notifier;
  readonly print: (text: string) => void;
  /** Fires when the program is to end. */
  readonly stop: AbortSignal;
}

/** @returns the exit code */
export async function tunnelMain(
  program: TunnelProgram,
  words: readonly string[],
): Promise<number> {
  if (words.some((word) => word === "--help" || word === "-h")) {
    program.print(TUNNEL_HELP);
    return EXIT_OK;
  }
  const [command, ...rest] = words;
  if (command === "status") return await status(program, rest);
  if (command === "check") return await check(program, rest);
  const options = parseWords(words, TUNNEL_OPTIONS, { h: "help" }, "anywhere");
  if (options.has("help")) {
    program.print(TUNNEL_HELP);
    return EXIT_OK;
  }
  if (options.has("version")) {
    program.print(`${PROGRAM} ${VERSION}\n`);
    return EXIT_OK;
  }
  const [word = ""] = options.rest;
  if (/^[a-z]+$/.test(word)) { // a port never is
    throw unknownCommand("command", word, TUNNEL_COMMANDS, `"${PROGRAM} --help"`);
  }
  const { vm, routes } = await destinations(program, options);
  const most = options.value("max-connections");
  await runTunnel({
    vm,
    routes,
    place: program.place,
    notifier: program.notifier,
    grantPages: program.grantPages,
    only: options.has("direct") ? "direct" : null,
    maxConnections: most === undefined
      ? DEFAULT_MAX_CONNECTIONS
      : parseNumber("--max-connections", most, 1, MOST_CONNECTIONS),
    stateFolder: program.stateFolder ?? `${program.ownRunFolder}/by-hand-${routes[0]?.port}`,
    say: program.print,
  }, program.stop);
  return EXIT_OK;
}

async function status(program: TunnelProgram, words: readonly string[]): Promise<number> {
  const options = parseWords(words, STATUS_OPTIONS, {}, "anywhere");
  expectWords(options.rest, 0, 0, `${PROGRAM} status [--json]`);
  const states = (await Promise.all(program.runFolders.map(readStates))).flat()
    .map((state) => ({ ...state, ports: state.ports.map((port) => asItIs(program.place, port)) }));
  program.print(options.has("json") ? JSON.stringify(states, null, 2) + "\n" : statusText(states));
  return states.length === 0 ? EXIT_FAILED : EXIT_OK;
}

/** A tunnel's state file may be older than the last start or end of its VM. */
function asItIs(place: Place, state: PortState): PortState {
  const isHalted = place.isHalted(place.parseTarget(state.vm));
  if (!isHalted) return state.modeReason === "vm-halted" ? { ...state, modeReason: null } : state;
  return {
    ...state,
    mode: state.mode === "persistent" ? "unknown" : state.mode,
    modeReason: "vm-halted",
  };
}

async function check(program: TunnelProgram, words: readonly string[]): Promise<number> {
  const options = parseWords(words, CHECK_OPTIONS, {}, "anywhere");
  const { vm, routes } = await destinations(program, options);
  const results = await checkPorts(program.place, vm, routes);
  program.print(
    options.has("json") ? JSON.stringify(results, null, 2) + "\n" : checkText(vm, results),
  );
  return results.every(({ good }) => good) ? EXIT_OK : EXIT_FAILED;
}

async function destinations(
  program: TunnelProgram,
  options: ParsedWords,
): Promise<{ readonly vm: Target; readonly routes: readonly PortRoute[] }> {
  const named = options.value("vm");
  const routes = [...options.values("listen"), ...options.rest].map(parsePortRoute);
  // If everything is given as options, a bad or missing file does not matter.
  const conf = named === undefined || routes.length === 0
    ? await readFirstConf(program.confFiles)
    : null;
  const vm = named === undefined ? confVm(conf, program) : targetOf(program.place, named);
  if (routes.length === 0 && conf !== null) {
    const ports = [conf.proxyPort, conf.gatewayPort].filter((port) => port !== null);
    routes.push(...ports.map((port) => parsePortRoute(`${port}`)));
  }
  const seen = new Set<string>();
  for (const { address, port } of routes) {
    const place = `${address} ${port}`;
    if (seen.has(place)) throw new UsageError(`port ${port} is given twice`);
    seen.add(place);
  }
  return { vm, routes };
}

function confVm(conf: OpenclawConf | null, { place, confFiles }: TunnelProgram): Target {
  const target = conf?.vm ?? place.defaultTarget;
  if (target !== null) return target;
  throw new ConfigError("no agent VM is configured", [
    `set OPENCLAW_VM=NAME in ${confFiles[0]}, or give --vm NAME`,
  ]);
}

function targetOf(place: Place, word: string): Target {
  try {
    return place.parseTarget(word);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(`not the name of a VM: ${printable(word)}`);
  }
}
