// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Every program, once: what it may do, and what is installed for it. The build, the installation
 * and the tests read it from here. Its source is SIDE/NAME.ts; it is a script that the one Deno beside
 * them all runs, and the daemon a binary, too. What it sees of the environment is permissions.env and
 * the few variables in print-launcher.
 *
 * In a path @HOME@ is the user's home, @ROOT@ is QUBES_CLAW_ROOT (for tests; nothing in a compiled
 * program), @RUNTIME@ the folder of the user's session in /run, @CALLER@ the VM that calls a qrexec
 * service, as qrexec says.
 *
 * @module
 */

/** What Deno allows a program, as its flags name it; what is not here is not allowed. */
export interface Permissions {
  /** Refused even where a library asks for it. */
  readonly deny?: readonly ("net" | "ffi" | "import")[];
  readonly net?: readonly string[];
  readonly run?: readonly string[] | "any";
  readonly read?: readonly string[] | "any";
  readonly write?: readonly string[] | "any";
  readonly env: readonly string[];
  readonly sys?: readonly string[];
  /** Some permissions are known only on the machine: the launcher asks "NAME permissions" for them. */
  readonly configured?: true;
}

export type Side = "dom0" | "vm";

/** A part can be installed by itself: "make install-vm-ports". */
export type Part =
  | "daemon"
  | "admin"
  | "client"
  | "tunnel"
  | "setup"
  | "ports"
  | "proxy"
  | "keyqube"
  | "ctl";

export interface Program {
  readonly name: string;
  readonly side: Side;
  readonly part: Part;
  /** Where its launcher lies; the program itself is in @LIBDIR@. */
  readonly into: "@BINDIR@" | "@LIBDIR@" | "@RPCDIR@";
  readonly permissions: Permissions;
  /** A binary is made of it, too: 85 MB that need no Deno beside them. */
  readonly compiled?: true;
  /** What the launcher starts in its place, by the first word: the launchers of these lie in @LIBDIR@. */
  readonly insteadOf?: Readonly<Record<string, string>>;
  /** A variable in which the launcher says "own" if stdin is a pipe, a socket or a file that whoever
   * starts it does not share: Deno cannot tell. */
  readonly stdinIn?: string;
  /** For V8, and what else Deno takes. */
  readonly v8?: readonly string[];
  readonly deno?: readonly string[];
  /** The source of its manual page. */
  readonly page?: string;
  /** Of SIDE/systemd. */
  readonly units?: readonly string[];
  /** Of vm/systemd/user: services of a VM's user. */
  readonly userUnits?: readonly string[];
}

/** For programs that always run and do little. */
const SMALL_HEAP = ["--max-semi-space-size=1", "--lite-mode"];
const NO_FOREIGN_CODE = ["ffi", "import"] as const;
const LOOPBACK = ["127.0.0.1", "[::1]"];
const OWN_VM_FOLDERS = ["@HOME@/.qvm-remote", "@HOME@/.qubes-remote"];

/** Where setup-vm puts OpenClaw: the VM's, or the user's. */
const OPENCLAW_PLACES = [
  "@ROOT@/usr/lib/qubes-claw/openclaw",
  "@HOME@/.local/lib/qubes-claw/openclaw",
];
const OPENCLAW_TOOLS = OPENCLAW_PLACES.flatMap((place) => [
  `${place}/bin/openclaw`,
  `${place}/bin/node`,
]);

/** The one socket that is the calling VM's own. */
const CALLERS_SOCKET = "@HOME@/.openclaw/vm-sockets/@CALLER@.sock";

/** openclaw-proxy's files, by name: OpenClaw's keys lie in the same folder. */
const PROXY_CONFIGURATION = ["proxy.json", "cursor-proxy.json", "proxy.env"]
  .map((name) => `@HOME@/.openclaw/${name}`);
const PROXY_WRITES = [
  ...["", "-wal", "-shm"].map((end) => `@HOME@/.openclaw/proxy-use.sqlite${end}`),
  "@HOME@/.openclaw/vm-sockets", // one socket for each VM that proxy.json knows
  "@HOME@/.openclaw/proxy-cursor", // where cursor-agent starts, unless proxy.json says another
];

const SETUP_VM_WRITES = [
  "@HOME@/.openclaw",
  "@HOME@/.config/openclaw",
  "@HOME@/.local/state/qubes-claw",
];

export const PROGRAMS: readonly Program[] = [
  {
    name: "qvm-remote-dom0",
    side: "dom0",
    part: "daemon",
    into: "@BINDIR@",
    compiled: true,
    // It runs commands as root for its VMs, so a list of files or programs that it may touch would
    // promise what it cannot keep; and QUBES_CLAW_ROOT moves its files.
    permissions: {
      deny: ["net", ...NO_FOREIGN_CODE],
      read: "any",
      write: "any",
      run: "any",
      env: [
        "QUBES_CLAW_ROOT",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "INVOCATION_ID",
        "SUDO_USER",
        "QVM_REMOTE_VMS",
        "QUBES_REMOTE_VMS",
        "QVM_REMOTE_VM",
        "QUBES_REMOTE_VM",
        "QVM_REMOTE_VM_USER",
        "QVM_REMOTE_MAX_TIMEOUT",
        "QVM_REMOTE_MAX_OUTPUT",
        "QVM_REMOTE_MAX_PAYLOAD",
        "QVM_REMOTE_LIVE_STDIN",
        "QVM_REMOTE_MAX_PROCESSES",
        "QVM_REMOTE_MAX_MEMORY",
        "QVM_REMOTE_TOTAL_PROCESSES",
        "QVM_REMOTE_TOTAL_MEMORY",
        "QVM_REMOTE_PARALLEL",
        "QVM_REMOTE_PARALLEL_PER_VM",
        "QVM_REMOTE_REQUESTS_PER_MINUTE",
        "QVM_REMOTE_FAILURES_PER_MINUTE",
        "QVM_REMOTE_PARKED_PER_VM",
        "QVM_REMOTE_APPROVAL_EXPIRES",
        "QVM_REMOTE_NOTIFY",
        "QVM_REMOTE_PATH",
      ],
      sys: ["uid"],
    },
    // Without the compilers that optimise: 13 MB less when idle after many commands, and less of V8
    // in dom0 to trust.
    v8: ["--max-semi-space-size=1", "--optimize-for-size", "--no-opt", "--no-maglev"],
    page: "dom0/packaging/qvm-remote-dom0.8",
    units: ["qvm-remote-dom0.service", "qubes-claw-watchdog.service", "qubes-claw-watchdog.timer"],
  },
  {
    name: "setup-dom0",
    side: "dom0",
    part: "setup",
    into: "@BINDIR@",
    permissions: {
      deny: ["net", ...NO_FOREIGN_CODE],
      read: ["/etc/qubes", "/var/lib/openclaw", "/usr/share/qubes-claw/policies"],
      write: ["/etc/qubes", "/var/lib/openclaw", "/run/openclaw-setup.lock"],
      run: [
        "qvm-check",
        "qvm-create",
        "qvm-features",
        "qvm-firewall",
        "qvm-ls",
        "qvm-prefs",
        "qvm-remove",
        "qvm-run",
        "qvm-service",
        "qvm-shutdown",
        "qvm-start",
        "qvm-tags",
        "qubes-prefs",
        "systemctl",
      ],
      env: ["QUBES_CLAW_ROOT"],
      sys: ["uid"],
    },
    page: "dom0/packaging/setup-dom0.8",
  },
  {
    name: "openclaw-tunnel",
    side: "dom0",
    part: "tunnel",
    into: "@BINDIR@",
    permissions: {
      deny: NO_FOREIGN_CODE,
      net: LOOPBACK,
      run: ["qrexec-client", "systemd-notify"],
      // The sockets in /run/qubes tell which VMs run.
      read: ["@ROOT@/etc/qubes/openclaw.conf", "@ROOT@/run/openclaw", "@ROOT@/run/qubes"],
      write: ["@ROOT@/run/openclaw"],
      env: ["QUBES_CLAW_ROOT", "NOTIFY_SOCKET", "RUNTIME_DIRECTORY"],
    },
    v8: SMALL_HEAP,
    page: "dom0/packaging/openclaw-tunnel.8",
    units: ["openclaw-tunnel@.service", "openclaw-tunnels.service"],
  },
  {
    name: "qubes-global-admin-web",
    side: "dom0",
    part: "admin",
    into: "@BINDIR@",
    // One port of loopback, to listen and to ask itself; the daemon's run folder and its own. What
    // only "open" needs (sudo, systemctl, xdg-open, a file for the browser), the server gives back.
    permissions: {
      deny: NO_FOREIGN_CODE,
      net: ["127.0.0.1:9876"],
      run: ["systemd-notify", "logger", "sudo", "systemctl", "xdg-open"],
      read: ["@ROOT@/run/qvm-remote", "@ROOT@/run/qubes-global-admin-web", "/run/user"],
      write: ["@ROOT@/run/qvm-remote/admin", "@ROOT@/run/qubes-global-admin-web", "/run/user"],
      // The second line is what a browser needs, to come to the screen.
      env: [
        "QUBES_CLAW_ROOT",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "XDG_RUNTIME_DIR",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
        "XDG_CURRENT_DESKTOP",
        "XDG_DATA_DIRS",
      ],
      sys: ["uid"],
    },
    // As the daemon.
    v8: ["--max-semi-space-size=1", "--optimize-for-size", "--no-opt", "--no-maglev"],
    page: "dom0/packaging/qubes-global-admin-web.8",
    units: ["qubes-global-admin-web.service", "qubes-claw-start.path", "qubes-claw-start.service"],
  },
  {
    name: "qvm-remote",
    side: "vm",
    part: "client",
    into: "@BINDIR@",
    permissions: {
      // The file of a plan, what is pushed, where pull is told to write; there is no network to take
      // anything to.
      read: "any",
      write: "any",
      // One of them asks how much waits in a pipe that the command does not get.
      run: ["/usr/bin/python3", "/usr/bin/perl"],
      env: ["HOME", "NO_COLOR", "QVM_REMOTE_STDIN"],
      sys: ["uid"],
    },
    stdinIn: "QVM_REMOTE_STDIN",
    insteadOf: { mcp: "qvm-remote-mcp" },
    page: "vm/packaging/qvm-remote.1",
  },
  {
    // A program of its own: its library would cost the client, which starts for each command, the time
    // and the memory that a server pays once.
    name: "qvm-remote-mcp",
    side: "vm",
    part: "client",
    into: "@LIBDIR@",
    permissions: {
      deny: ["net", ...NO_FOREIGN_CODE],
      read: OWN_VM_FOLDERS,
      write: OWN_VM_FOLDERS,
      env: ["HOME"],
      sys: ["uid"],
    },
    v8: SMALL_HEAP,
  },
  {
    name: "qvmremote.Queue",
    side: "vm",
    part: "client",
    into: "@RPCDIR@",
    permissions: {
      read: OWN_VM_FOLDERS,
      write: OWN_VM_FOLDERS,
      env: ["HOME", "QREXEC_REMOTE_DOMAIN", "QREXEC_SERVICE_ARGUMENT"],
      sys: ["uid"],
    },
  },
  {
    name: "openclaw-tunnel",
    side: "vm",
    part: "tunnel",
    into: "@BINDIR@",
    permissions: {
      net: LOOPBACK,
      run: ["qrexec-client-vm", "systemd-notify"],
      read: [
        "@HOME@/.config/openclaw/connect.conf",
        "@ROOT@/etc/qubes/openclaw.conf",
        "@ROOT@/run/openclaw",
        "@RUNTIME@/openclaw",
      ],
      write: ["@ROOT@/run/openclaw", "@RUNTIME@/openclaw"],
      env: ["QUBES_CLAW_ROOT", "NOTIFY_SOCKET", "RUNTIME_DIRECTORY", "HOME", "XDG_RUNTIME_DIR"],
    },
    v8: SMALL_HEAP,
    page: "dom0/packaging/openclaw-tunnel.8",
    units: ["openclaw-tunnel@.service", "openclaw-tunnels.service"],
  },
  {
    // In the library: which ports it serves is the set of files openclaw.Mux+PORT in the rpc
    // folder that lead to it, and there are none at first.
    name: "openclaw.Mux",
    side: "vm",
    part: "tunnel",
    into: "@LIBDIR@",
    // One port of one address, chosen by the service's argument.
    permissions: { net: ["127.0.0.1"], env: ["QREXEC_SERVICE_ARGUMENT"] },
    v8: SMALL_HEAP,
  },
  {
    name: "openclaw.MuxPerVm",
    side: "vm",
    part: "keyqube",
    into: "@LIBDIR@", // as openclaw.Mux: openclaw-ports makes the way to it
    // No TCP, and no other VM's socket.
    permissions: {
      net: [`unix:${CALLERS_SOCKET}`],
      read: [CALLERS_SOCKET],
      write: [CALLERS_SOCKET],
      env: ["HOME", "QREXEC_REMOTE_DOMAIN"],
    },
    v8: SMALL_HEAP,
  },
  {
    name: "openclaw-ports",
    side: "vm",
    part: "ports",
    into: "@BINDIR@",
    // A tool for root, for the rpc folders. Deno makes links only for a program that may read and
    // write everywhere; so what is narrow is the rest: no network, and one program that answers.
    permissions: {
      deny: ["net", ...NO_FOREIGN_CODE],
      read: "any",
      write: "any",
      run: ["qubesdb-read"],
      env: ["QUBES_CLAW_ROOT"],
    },
    page: "vm/packaging/openclaw-ports.8",
  },
  {
    name: "openclaw-connect",
    side: "vm",
    part: "ports",
    into: "@BINDIR@",
    // Asks two ports of this VM, and starts the tunnel, which has permissions of its own.
    permissions: {
      deny: NO_FOREIGN_CODE,
      net: LOOPBACK,
      run: ["openclaw-tunnel"],
      read: ["@HOME@/.config/openclaw/connect.conf", "@ROOT@/etc/qubes/openclaw.conf"],
      env: ["HOME", "QUBES_CLAW_ROOT"],
    },
    v8: SMALL_HEAP,
    page: "vm/packaging/openclaw-connect.1",
    userUnits: ["openclaw-connect.service"],
  },
  {
    name: "openclaw-proxy",
    side: "vm",
    part: "proxy",
    into: "@BINDIR@",
    // Configured: the hosts of the providers in proxy.json, and the programs that fetch keys, if
    // it names any.
    permissions: {
      deny: NO_FOREIGN_CODE,
      read: [...PROXY_CONFIGURATION, ...PROXY_WRITES],
      write: PROXY_WRITES,
      env: [
        "HOME",
        "PATH",
        "NOTIFY_SOCKET",
        "OPENCLAW_PROXY_PORT",
        "OPENCLAW_PROXY_MEMORY_MIB",
        "OPENCLAW_CURSOR_PORT",
        "OPENCLAW_CURSOR_LOG_LEVEL",
        "OPENCLAW_CURSOR_TOOL_MODE",
        "OPENCLAW_CURSOR_WORKSPACE",
        "OPENCLAW_CURSOR_TIMEOUT_MS",
        "OPENCLAW_CURSOR_DEFAULT_MODEL",
        "OPENCLAW_CURSOR_ENABLE_THINKING",
        "OPENCLAW_CURSOR_LOG_SILENT",
      ],
      sys: ["uid"],
      configured: true,
    },
    // A young heap of 4 MiB instead of 16: a third less memory under load, for a fifth of the
    // requests a second where 64 come at once; one alone is as fast.
    v8: ["--max-semi-space-size=4"],
    deno: ["--unstable-no-legacy-abort"],
    page: "vm/packaging/openclaw-proxy.1",
    userUnits: ["openclaw-proxy.service"],
  },
  {
    name: "setup-vm",
    side: "vm",
    part: "setup",
    into: "@BINDIR@",
    // Its own files in the home, what it looks at, the tools it runs. Root's part is done through
    // sudo (a Qubes VM lets its user), so the rest of the list keeps from mistakes, not from this
    // program. No network: npm has that.
    permissions: {
      deny: ["net", ...NO_FOREIGN_CODE],
      read: [
        ...SETUP_VM_WRITES,
        "@HOME@/.local/lib/qubes-claw",
        "@ROOT@/usr/lib/qubes-claw",
        "@ROOT@/usr/share/qubes-claw",
        "@ROOT@/usr/lib/os-release",
        "@ROOT@/etc/os-release",
        "@ROOT@/run/qubes-service",
        "@ROOT@/rw/config/qubes-bind-dirs.d",
        "@ROOT@/rw/bind-dirs/var/lib/systemd/linger",
        "@ROOT@/var/lib/systemd/linger",
      ],
      write: SETUP_VM_WRITES,
      run: [
        "sudo",
        "npm",
        "node",
        "install",
        "mkdir",
        "rm",
        "ln",
        "df",
        "grep",
        "systemctl",
        "loginctl",
        "qubesdb-read",
        "xenstore-read",
        "openclaw-ports",
        "openclaw-proxy",
        "qvm-remote",
        "cursor-agent",
        "agent",
        "ollama",
        ...OPENCLAW_TOOLS,
      ],
      env: ["HOME", "USER", "LOGNAME", "QUBES_CLAW_ROOT"],
      sys: ["uid"],
    },
    page: "vm/packaging/setup-vm.1",
    units: ["proxy", "gateway", "tunnel", "watchdog"].map((part) =>
      `qubes-openclaw-${part}.service`
    ),
    userUnits: ["gateway", "tunnel", "watchdog"].map((part) => `openclaw-${part}.service`),
  },
  {
    name: "openclaw-wait-ready",
    side: "vm",
    part: "setup",
    into: "@LIBDIR@",
    // One answer of this VM's loopback.
    permissions: {
      deny: NO_FOREIGN_CODE,
      net: ["127.0.0.1"],
      read: ["@HOME@/.config/openclaw/vm.json"],
      env: ["HOME"],
    },
    v8: SMALL_HEAP,
  },
  {
    name: "openclaw-ctl",
    side: "vm",
    part: "ctl",
    into: "@BINDIR@",
    // It asks loopback; systemd, the journal and ss for who has a port; OpenClaw itself for what
    // only it knows (cron, devices, the dashboard's address, its verdict on its configuration), and
    // its Node for the version. It reads what vm.json says, ~/.openclaw (for the doctor: modes,
    // names of keys; the two tokens that it sends to the gateway), the flags of qvm-service and the
    // state of the tunnels. It writes nothing: SQLite, read only, wants the folder of the books to
    // be readable. sys: whose files they should be, how much memory there is.
    permissions: {
      deny: NO_FOREIGN_CODE,
      net: ["127.0.0.1"],
      run: ["systemctl", "journalctl", "ss", ...OPENCLAW_TOOLS],
      read: [
        "@HOME@/.config/openclaw/vm.json",
        "@HOME@/.openclaw",
        ...OPENCLAW_PLACES,
        "@ROOT@/run/qubes-service",
        "@ROOT@/run/openclaw",
        "@RUNTIME@/openclaw",
      ],
      env: ["HOME", "XDG_RUNTIME_DIR", "QUBES_CLAW_ROOT", "NO_COLOR", "TERM"],
      sys: ["uid", "systemMemoryInfo"],
    },
    page: "vm/packaging/openclaw-ctl.1",
  },
  {
    name: "openclaw-watchdog",
    side: "vm",
    part: "ctl",
    into: "@BINDIR@",
    // Root's where the units are the system's: loopback, systemd, two files, and the call that
    // tells dom0.
    permissions: {
      deny: NO_FOREIGN_CODE,
      net: ["127.0.0.1"],
      run: ["systemctl", "systemd-notify", "logger", "qrexec-client-vm"],
      read: ["vm.json", "watchdog.json"].map((name) => `@HOME@/.config/openclaw/${name}`),
      env: ["HOME", "NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM"],
    },
    v8: SMALL_HEAP,
    page: "vm/packaging/openclaw-watchdog.8",
  },
];

/** What else is installed: not a program, a unit, a page or a completion of one. */
export interface DataFile {
  readonly side: Side;
  readonly part: Part;
  /** A "*" in the name stands for any. */
  readonly source: string;
  readonly into: string;
  readonly mode: "0644" | "0755";
}

const DATA = "@SHAREDIR@/openclaw";

/** People edit the copies of the first two in /etc; see EDITED_FILES. */
export const DATA_FILES: readonly DataFile[] = [
  {
    side: "dom0",
    part: "admin",
    source: "dom0/packaging/qubes-global-admin.desktop",
    into: "@APPLICATIONS@",
    mode: "0644",
  },
  {
    side: "dom0",
    part: "admin",
    source: "dom0/packaging/qubes-global-admin.svg",
    into: "@ICONS@",
    mode: "0644",
  },
  // What XFCE's panel shows, and what starts again what has failed: each reads a line or two, and is no
  // program of Deno.
  {
    side: "dom0",
    part: "admin",
    source: "dom0/packaging/qubes-global-admin-panel",
    into: "@LIBDIR@",
    mode: "0755",
  },
  {
    side: "dom0",
    part: "daemon",
    source: "dom0/packaging/restart-failed",
    into: "@LIBDIR@",
    mode: "0755",
  },
  // Of an upgrade by an archive.
  {
    side: "dom0",
    part: "daemon",
    source: "shared/packaging/install-dom0",
    into: "@LIBDIR@",
    mode: "0755",
  },
  {
    side: "dom0",
    part: "daemon",
    source: "dom0/packaging/remote.conf",
    into: "@SHAREDIR@",
    mode: "0644",
  },
  {
    side: "dom0",
    part: "daemon",
    source: "policies/30-qvm-remote.policy",
    into: "@POLICYDIR@",
    mode: "0644",
  },
  // setup-dom0 puts these into /etc/qubes/policy.d, with the ports that were chosen.
  ...["50-openclaw", "40-openclaw-keys", "30-openclaw-inter-vm"].map((name): DataFile => ({
    side: "dom0",
    part: "setup",
    source: `policies/${name}.policy`,
    into: "@POLICYDIR@",
    mode: "0644",
  })),
  {
    side: "dom0",
    part: "setup",
    source: "dom0/qubes-rpc/openclaw.Notice",
    into: "@RPCDIR@",
    mode: "0755",
  },
  {
    side: "vm",
    part: "setup",
    source: "vm/packaging/openclaw-gateway",
    into: "@LIBDIR@",
    mode: "0755",
  },
  { side: "vm", part: "setup", source: "vm/openclaw/*.json", into: DATA, mode: "0644" },
  ...["openclaw/package.json", "openclaw/package-lock.json", "openclaw/launcher"].map((
    name,
  ): DataFile => ({
    side: "vm",
    part: "setup",
    source: `vm/openclaw/${name}`,
    into: `${DATA}/openclaw`,
    mode: "0644",
  })),
  {
    side: "vm",
    part: "setup",
    source: "vm/openclaw/node/*.json",
    into: `${DATA}/node`,
    mode: "0644",
  },
];

/** Files that people edit: put there once, and taken back only as they were put there. */
export const EDITED_FILES: readonly {
  readonly mode: string;
  readonly source: string;
  readonly target: string;
}[] = [
  { mode: "0600", source: "dom0/packaging/remote.conf", target: "@ETCDIR@/remote.conf" },
  {
    mode: "0664",
    source: "policies/30-qvm-remote.policy",
    target: "@ETCDIR@/policy.d/30-qvm-remote.policy",
  },
];

/** dom0's folders that nobody but root may enter. */
export const PRIVATE_FOLDERS = ["@ETCDIR@/remote.d", "@ETCDIR@/remote-policy.d"];

/** What is printed after a part was installed. */
export const NEXT_STEPS: Readonly<Partial<Record<`${Side} ${Part}`, string>>> = {
  "dom0 daemon":
    "Installed, not enabled. Next: qvm-remote-dom0 authorize --fetch --grant full VM, then qvm-remote-dom0 enable",
  "dom0 admin":
    "Installed, not started. It opens from the menu (Global Admin), or by: qubes-global-admin-web open",
  "vm ports":
    "Installed, nothing opened. In the agent VM: openclaw-ports install. In clients: systemctl --user enable --now openclaw-connect",
  "vm setup": "Installed, nothing set up. In the agent VM, as its user: setup-vm PROVIDER",
};

/** What stays when a part is removed, and why, if it is there. */
export const KEPT: Readonly<
  Partial<Record<`${Side} ${Part}`, readonly [path: string, note: string]>>
> = {
  "vm setup": ["@LIBDIR@/openclaw", "OpenClaw itself; setup-vm --undo takes it back, or: rm -r"],
};

/** A program's flags for Deno, the same in its launcher and in its compiled form. */
export function denoFlags(
  { permissions, stdinIn, v8 = [], deno = [], insteadOf = {} }: Program,
): readonly string[] {
  const { deny = [], configured = false, net, run, read, write, env, sys } = permissions;
  const allowed = Object.entries({ net, run, read, write, env, sys }).flatMap(([name, what]) => {
    if (what === undefined) return [];
    return [what === "any" ? `--allow-${name}` : `--allow-${name}=${what.join(",")}`];
  });
  return [
    "--no-prompt", // it would wait for ever
    ...v8.length === 0 ? [] : [`--v8-flags=${v8.join(",")}`],
    ...deno,
    ...deny.map((name) => `--deny-${name}`),
    ...allowed,
    ...configured ? ["@CONFIGURED@"] : [],
    ...stdinIn === undefined ? [] : [`@STDIN@${stdinIn}`],
    ...Object.entries(insteadOf).map(([word, name]) => `@INSTEAD@${word}=${name}`),
  ];
}

/** @throws {Error} if there is none: a bug of the caller */
export function programOf(side: Side, name: string): Program {
  const found = PROGRAMS.find((program) => program.side === side && program.name === name);
  if (found === undefined) throw new Error(`shared/packaging/programs.ts has no ${side}/${name}`);
  return found;
}
