// SPDX-License-Identifier: GPL-2.0-or-later
/** From the command line of a call to the running far end of it. @module */
import type { ServiceCommand, ShellCommand } from "./command_line.ts";
import { vmEnvironment } from "./environment.ts";
import { EXIT_NOT_FOUND, EXIT_PROBLEM } from "./exit_codes.ts";
import { vmPaths } from "./layout.ts";
import { connectionRemote, type Remote, type StartFailure, startProcess } from "./remote.ts";
import { loadRpcConfig, type RpcConfig } from "./rpc_config.ts";
import { findService, serviceNames } from "./service_lookup.ts";
import { readWorld } from "./world_config.ts";

/** The VM in which things are started. */
export interface Inside {
  readonly folder: string;
  readonly vm: string;
  readonly log: (text: string) => void;
}

/** A running far end, with what its rpc-config says of its end. */
export interface StartedService {
  readonly remote: Remote;
  readonly exitOnClientEof: boolean;
  readonly exitOnServiceEof: boolean;
}

/** Users there are in a VM. Whatever the name, everything runs as our own user. */
const USERS: ReadonlySet<string> = new Set(["user", "root", "DEFAULT"]);

/** Starts a shell command of a user of the VM. */
export function startShell(
  inside: Inside,
  command: ShellCommand,
  isDetached: boolean,
): StartedService | StartFailure {
  if (!USERS.has(command.user)) return noSuchUser(command.user);
  return started(startProcess({
    program: "/bin/bash",
    args: ["-c", command.script],
    env: { ...userEnvironment(inside, command.user), QREXEC_AGENT_PID: String(Deno.pid) },
    cwd: vmPaths(inside.folder, inside.vm).home,
    isDetached,
  }));
}

/** Starts what serves a call, or connects to it. */
export async function startService(
  inside: Inside,
  command: ServiceCommand,
  isDetached: boolean,
): Promise<StartedService | StartFailure> {
  const paths = vmPaths(inside.folder, inside.vm);
  const config = loadRpcConfig(paths.rpcConfigDirs, serviceNames(command), inside.log);
  if (config === undefined) return problem("Cannot load service configuration");
  const service = findService(paths.serviceDirs, command);
  switch (service.kind) {
    case "missing":
      return { exitCode: EXIT_NOT_FOUND, reason: service.reason };
    case "broken":
      return problem(service.reason);
    case "program":
      return startServiceProgram(inside, command, config, service.path, isDetached);
    case "socket":
      return await connectService(command, config, { transport: "unix", path: service.path });
    case "tcp":
      return await connectService(command, config, {
        transport: "tcp",
        hostname: service.host,
        port: service.port,
      });
    default:
      return service satisfies never;
  }
}

function startServiceProgram(
  inside: Inside,
  command: ServiceCommand,
  config: RpcConfig,
  path: string,
  isDetached: boolean,
): StartedService | StartFailure {
  const hasSocketOption = config.skipServiceDescriptor || config.exitOnClientEof ||
    config.exitOnServiceEof;
  if (hasSocketOption && config.forceUser !== undefined) {
    return problem("force-user does not go with options of socket services");
  }
  if (hasSocketOption) inside.log(`Warning: ignoring options of socket services for ${path}`);
  const user = config.forceUser ?? command.user;
  if (!USERS.has(user)) return noSuchUser(user);
  if (!command.hasValidWordCount) return problem("invalid number of arguments");
  return started(startProcess({
    program: path,
    args: command.argument ? [command.argument] : [],
    env: { ...userEnvironment(inside, user), ...serviceVariables(command) },
    cwd: vmPaths(inside.folder, inside.vm).home,
    isDetached,
  }));
}

/** The first bytes a socket service reads are the words of the call and a NUL. */
async function connectService(
  command: ServiceCommand,
  config: RpcConfig,
  address:
    | Deno.UnixConnectOptions & { transport: "unix" }
    | Deno.ConnectOptions & {
      transport: "tcp";
    },
): Promise<StartedService | StartFailure> {
  try {
    const conn = address.transport === "unix"
      ? await Deno.connect(address)
      : await Deno.connect(address);
    if ("setNoDelay" in conn) conn.setNoDelay();
    const remote = connectionRemote(conn);
    if (!config.skipServiceDescriptor) {
      // A service that has closed already may still have said something.
      await remote.writeStdin(new TextEncoder().encode(`${command.words}\0`)).catch(() => {});
    }
    const { exitOnClientEof, exitOnServiceEof } = config;
    return { remote, exitOnClientEof, exitOnServiceEof };
  } catch (error) {
    return problem(`connect: ${error}`);
  }
}

/** What a service is told of its call (reference/qrexec.md 4.7). */
function serviceVariables(command: ServiceCommand): Record<string, string> {
  const [type, target] = command.target ?? [];
  return {
    QREXEC_AGENT_PID: String(Deno.pid),
    QREXEC_SERVICE_FULL_NAME: command.fullName,
    QREXEC_REMOTE_DOMAIN: command.source,
    QREXEC_REQUESTED_TARGET_TYPE: type ?? "",
    ...(command.argument === undefined ? {} : { QREXEC_SERVICE_ARGUMENT: command.argument }),
    ...(type === "name" && target ? { QREXEC_REQUESTED_TARGET: target } : {}),
    ...(type === "keyword" && target ? { QREXEC_REQUESTED_TARGET_KEYWORD: target } : {}),
  };
}

function userEnvironment(inside: Inside, user: string): Record<string, string> {
  const name = user === "DEFAULT" ? "user" : user;
  return vmEnvironment(inside.folder, readWorld(inside.folder), inside.vm, name);
}

function started(remote: Remote | StartFailure): StartedService | StartFailure {
  if ("exitCode" in remote && "reason" in remote) return remote;
  return { remote, exitOnClientEof: false, exitOnServiceEof: false };
}

function problem(reason: string): StartFailure {
  return { exitCode: EXIT_PROBLEM, reason };
}

function noSuchUser(user: string): StartFailure {
  return problem(`user does not exist: ${user}`);
}
