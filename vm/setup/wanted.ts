// SPDX-License-Identifier: GPL-2.0-or-later
/** Everything setup-vm is to bring about, in order: a list of places and values. @module */

import { dirname } from "@std/path/posix/dirname";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { VmKind } from "../ports/vm_kind.ts";
import { type VmSettings, writtenVmSettings } from "../settings/vm_settings.ts";
import {
  type Fact,
  type Manager,
  type PackageList,
  PER_VM,
  PRIVATE,
  type Wanted,
  YES,
} from "./fact.ts";
import { UNNAMED_MODEL, wantsKey, withoutKey } from "./compatible.ts";
import { filledTemplate, type TemplateValues } from "./fill_template.ts";
import { type Destination, destination, type Places } from "./places.ts";
import type { SetupRequest } from "./request.ts";
import { proxyEnvText, randomToken } from "./secrets.ts";

/** What the survey found, as far as the plan depends on it. */
export interface Around {
  readonly kind: VmKind;
  /** The list of each set of packages that is not there already, by name: its hash. */
  readonly packages: ReadonlyMap<PackageList, string>;
  /** Service flags that dom0 set for this VM. */
  readonly flags: ReadonlySet<string>;
  /** Template files' texts, by name. */
  readonly templates: ReadonlyMap<string, string>;
  /** More words for npm. */
  readonly npmOptions: string;
}

export function wantedFor(
  request: SetupRequest,
  places: Places,
  around: Around,
): readonly Wanted[] {
  if (request.onlyFiles) return homeFiles(request, places, around);
  const to = destination(places, around.kind, request);
  const packages = request.part === "keys" ? [] : packageFacts(places, to, around);
  // A template's home is not used: each of its VMs is set up separately.
  if (around.kind === "template") return [...packages, ...enabled(request)];
  return [
    ...homeFiles(request, places, around),
    ...packages,
    ports(request),
    ...(request.units === "user" ? lingering(places, around.kind) : []),
    ...(request.units === "system" && around.kind === "app" ? [] : enabled(request)),
    ...active(request, around),
  ];
}

function packageFacts(
  { share, home }: Places,
  { prefix, root }: Destination,
  { packages, npmOptions }: Around,
): readonly Wanted[] {
  const why: Readonly<Record<PackageList, string>> = {
    node: "the Node.js that OpenClaw needs",
    openclaw: "OpenClaw itself",
  };
  return [...packages].map(([name, hash]): Wanted => ({
    fact: {
      kind: "packages",
      name,
      prefix,
      root,
      source: `${share}/${name}`,
      // Root asks the registry that the user's npm was seen to reach.
      options: [npmOptions, root ? `--userconfig=${home}/.npmrc` : ""].join(" ").trim(),
    },
    to: hash,
    why: why[name],
  }));
}

/** ~/.openclaw and vm.json. What is there stays as it is, except vm.json. */
function homeFiles(
  request: SetupRequest,
  places: Places,
  { templates }: Around,
): readonly Wanted[] {
  const { part, provider } = request;
  const { state, settings, home } = places;
  const values = valuesOf(request, home);
  const fill = (name: string, more: object = {}) => (): string =>
    filledTemplate(templates.get(name) ?? "", { ...values, ...more });
  const kept = (name: string, why: string, text: () => string): Wanted => ({
    fact: { kind: "kept", path: `${state}/${name}` },
    to: YES,
    why,
    text,
  });
  const folder = dirname(settings);
  return [
    {
      fact: { kind: "folder", path: state, private: true },
      to: PRIVATE,
      why: "keys, tokens and history",
    },
    { fact: { kind: "folder", path: folder, private: false }, to: YES, why: "settings" },
    ...(part === "keys" ? [] : [
      kept("gateway-token", "who has it, is the operator of the agent", () => `${randomToken()}\n`),
      kept(
        "openclaw.json",
        "configuration of OpenClaw",
        () => fill(openclawTemplate(request), { HOOKS_TOKEN: randomToken() })(),
      ),
    ]),
    ...(part === "agent of a key qube" ? [] : [
      kept(
        "proxy.json",
        "configuration of the proxy",
        () => withClients(proxyJson(request, fill(`proxy-${provider}.json`)()), request.agents),
      ),
      kept("proxy.env", "keys of the model providers", () => proxyEnvText(provider)),
    ]),
    {
      fact: { kind: "file", path: settings, root: false },
      to: writtenVmSettings(settingsFor(request)),
      why: "what openclaw-ctl and openclaw-watchdog go by",
    },
  ];
}

function valuesOf({ server, proxyPort, gatewayPort }: SetupRequest, home: string): TemplateValues {
  const places = { HOME: home, PROXY_PORT: proxyPort, GATEWAY_PORT: gatewayPort };
  if (server === null) return places;
  return { ...places, BASE_URL: server.baseUrl, MODEL: server.model ?? UNNAMED_MODEL };
}

function proxyJson({ server }: SetupRequest, text: string): string {
  return server === null || wantsKey(server) ? text : withoutKey(text);
}

/** In a key qube each agent VM is a client, named by qrexec; others are refused. */
function withClients(proxyJson: string, agents: readonly VmName[]): string {
  if (agents.length === 0) return proxyJson;
  const clients = Object.fromEntries(agents.map((vm) => [vm, { vm }]));
  return JSON.stringify({ ...JSON.parse(proxyJson), clients }, null, 2) + "\n";
}

/** The names of the templates that a request needs. */
export function templatesFor(request: SetupRequest): readonly string[] {
  return [
    ...(request.part === "keys" ? [] : [openclawTemplate(request)]),
    ...(request.part === "agent of a key qube" ? [] : [`proxy-${request.provider}.json`]),
  ];
}

function openclawTemplate({ part, provider }: SetupRequest): string {
  // Which models there are is said in proxy.json alone: of a key qube, or of the user.
  const asksForAuto = part === "agent of a key qube" || provider === "compatible";
  return `openclaw-${asksForAuto ? "auto" : provider}.json`;
}

function settingsFor(request: SetupRequest): VmSettings {
  return {
    role: request.part === "keys" ? "keys" : "agent",
    provider: request.provider,
    keyQube: request.part === "agent of a key qube",
    units: request.units,
    proxyPort: request.proxyPort,
    gatewayPort: request.gatewayPort,
  };
}

function ports({ part, proxyPort, gatewayPort }: SetupRequest): Wanted {
  const open = {
    "agent": [proxyPort, gatewayPort],
    // The proxy's port is a tunnel here: who may call the proxy is asked in dom0, once, for it.
    "agent of a key qube": [gatewayPort],
    "keys": [],
  }[part];
  return {
    fact: { kind: "ports" },
    to: part === "keys" ? `${PER_VM} ${proxyPort}` : open.map(String).sort().join(" "),
    why: "what other VMs may reach, if the policy in dom0 lets them",
  };
}

/** Services of a user start at boot only if the user lingers; an AppVM has to be taught to. */
function lingering({ root, user }: Places, kind: VmKind): readonly Wanted[] {
  const linger: Wanted = {
    fact: { kind: "linger", user },
    to: YES,
    why: "services start with the VM, not with a login",
  };
  if (kind !== "app") return [linger];
  const file = (path: string, to: string, why: string): Wanted => ({
    fact: { kind: "file", path: root + path, root: true },
    to,
    why,
  });
  return [
    linger,
    file(`/rw/bind-dirs${LINGER_FOLDER}/${user}`, "", "the same, kept where an AppVM forgets"),
    file(BIND_DIRS, BIND_DIRS_TEXT, "brings it back at each start"),
  ];
}

const LINGER_FOLDER = "/var/lib/systemd/linger";
const BIND_DIRS = "/rw/config/qubes-bind-dirs.d/50_qubes-claw.conf";
const BIND_DIRS_TEXT = `# Written by setup-vm: the services of this VM's user start at boot.
binds+=( '${LINGER_FOLDER}' )
`;

/** Each service: its unit of the user's, its system unit, and the flag that dom0 sets for that. */
export interface Service {
  readonly user: string;
  readonly system: string;
  readonly flag: string;
}

const service = (name: string): Service => ({
  user: `openclaw-${name}.service`,
  system: `qubes-openclaw-${name}.service`,
  // The flag is as old as the tunnels, of which there may be several.
  flag: name === "tunnel" ? "openclaw-tunnels" : `openclaw-${name}`,
});

export function servicesOf({ part }: SetupRequest): readonly Service[] {
  const names = {
    "agent": ["proxy", "gateway", "watchdog"],
    "agent of a key qube": ["tunnel", "gateway", "watchdog"],
    "keys": ["proxy", "watchdog"],
  }[part];
  return names.map(service);
}

export function unitOf({ user, system }: Service, manager: Manager): string {
  return manager === "user" ? user : system;
}

function enabled(request: SetupRequest): readonly Wanted[] {
  return servicesOf(request).map((one): Wanted => ({
    fact: { kind: "enabled", unit: unitOf(one, request.units), manager: request.units },
    to: YES,
    why: request.units === "system"
      ? `starts with the VM if dom0 set the flag ${one.flag}`
      : "starts with the VM",
  }));
}

/** A unit whose flag is not set would not start: its condition fails. */
function active(request: SetupRequest, { flags }: Around): readonly Wanted[] {
  return servicesOf(request)
    .filter(({ flag }) => request.units === "user" || flags.has(flag))
    .map((one): Wanted => ({
      fact: { kind: "active", unit: unitOf(one, request.units), manager: request.units },
      to: YES,
      why: "runs now",
    }));
}

/** Facts that start something: only after the configuration was found good. */
export function isStart(fact: Fact): boolean {
  return fact.kind === "active";
}
