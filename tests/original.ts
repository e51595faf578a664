// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The Python original's installation, as its own Makefile, specs and installer leave it: paths, modes,
 * names of units and what systemd reads of them. The programs are stand-ins that no test starts: what
 * counts of them is where they lie, and their first line.
 *
 *     install-dom0        /usr/bin/qvm-remote-dom0 0755, its unit 0644, /etc/qubes/remote.conf 0600
 *     install-web         the web admin, its watchdog, their units, a menu entry, an autostart entry
 *     install-gui-dom0, install-admin-dom0    programs, /usr/lib/qvm-remote, a menu entry each
 *     authorize, install-dom0.sh    /etc/qubes/remote.d 0700, VM.key 0600, 64 digits, no line end
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";

/** First line and all: the original's programs are of this kind. */
export const PYTHON_PROGRAM = "#!/usr/bin/python3\nimport signal\nsignal.pause()\n";

const MAKES_RUN_FOLDER = `ExecStartPre=/bin/mkdir -p /var/run/qvm-remote
ExecStartPre=/bin/chmod 0700 /var/run/qvm-remote
`;

/** By the path in dom0. */
export const ORIGINAL_UNITS: Readonly<Record<string, string>> = {
  "/etc/systemd/system/qvm-remote-dom0.service": `[Unit]
Description=qvm-remote of the original
[Service]
Type=simple
${MAKES_RUN_FOLDER}ExecStart=/usr/bin/qvm-remote-dom0
EnvironmentFile=-/etc/qubes/remote.conf
Restart=always
RestartSec=3
[Install]
WantedBy=multi-user.target
`,
  "/etc/systemd/system/qubes-global-admin-web.service": `[Unit]
Description=web admin of the original
[Service]
Type=simple
${MAKES_RUN_FOLDER}ExecStart=/usr/bin/qubes-global-admin-web
Restart=always
RestartSec=3
User=root
Environment=QUBES_ADMIN_PORT=9876
[Install]
WantedBy=multi-user.target
`,
  "/etc/systemd/system/qubes-admin-watchdog.service": `[Unit]
Description=watchdog of the original
Wants=qubes-global-admin-web.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'systemctl is-active -q qvm-remote-dom0 || systemctl restart qvm-remote-dom0'
`,
  "/etc/systemd/system/qubes-admin-watchdog.timer": `[Unit]
Description=timer of the original's watchdog
[Timer]
OnBootSec=30s
OnUnitActiveSec=60s
AccuracySec=10s
[Install]
WantedBy=timers.target
`,
};

const entry = (exec: string): string => `[Desktop Entry]\nType=Application\nExec=${exec}\n`;

export const ORIGINAL_ENTRIES: Readonly<Record<string, string>> = {
  "/etc/xdg/autostart/qubes-admin-autostart.desktop": entry(
    "/usr/local/bin/qubes-admin-autostart.sh",
  ),
  "/usr/share/applications/qubes-global-admin-web.desktop": entry(
    "sh -c 'systemctl start qubes-global-admin-web 2>/dev/null; xdg-open http://127.0.0.1:9876'",
  ),
  "/usr/share/applications/qubes-global-admin-dom0.desktop": entry(
    "/usr/bin/qubes-global-admin-dom0",
  ),
  "/usr/share/applications/qvm-remote-dom0-gui.desktop": entry(
    "pkexec /usr/bin/qvm-remote-dom0-gui",
  ),
};

export const ORIGINAL_PROGRAMS = [
  "/usr/bin/qvm-remote-dom0",
  "/usr/bin/qubes-global-admin-web",
  "/usr/bin/qvm-remote-dom0-gui",
  "/usr/bin/qubes-global-admin-dom0",
  "/usr/local/bin/qubes-admin-genmon.sh",
  "/usr/local/bin/qubes-admin-autostart.sh",
] as const;

export interface OriginalDom0 {
  /** The whole of /etc/qubes/remote.conf. */
  readonly config?: string;
  /** By VM. */
  readonly keys: Readonly<Record<string, string>>;
}

/** @param root in front of every path */
export async function installOriginalDom0(root: string, installed: OriginalDom0): Promise<void> {
  const { keys, config = `QVM_REMOTE_VMS=${Object.keys(keys).join(" ")}\n` } = installed;
  for (const [path, text] of Object.entries({ ...ORIGINAL_UNITS, ...ORIGINAL_ENTRIES })) {
    await put(root + path, text, 0o644);
  }
  for (const path of ORIGINAL_PROGRAMS) await put(root + path, PYTHON_PROGRAM, 0o755);
  for (const name of ["qubes_remote_ui.py", "qubes_admin_ui.py", "version"]) {
    await put(`${root}/usr/lib/qvm-remote/${name}`, "1.1.0\n", 0o644);
  }
  await put(`${root}/etc/qubes/remote.conf`, config, 0o600);
  await put(`${root}/etc/qubes/remote-admin-policy.json`, WEB_POLICY, 0o600);
  await put(`${root}/var/log/qubes/qvm-remote.log`, LOG, 0o644);
  await Deno.mkdir(`${root}/etc/qubes/remote.d`, { recursive: true, mode: 0o700 });
  await Deno.chmod(`${root}/etc/qubes/remote.d`, 0o700);
  for (const [vm, key] of Object.entries(keys)) {
    await put(`${root}/etc/qubes/remote.d/${vm}.key`, key, 0o600);
  }
}

/** What its web admin writes at the first change. */
export const WEB_POLICY = JSON.stringify({
  dom0: "deny",
  default: "monitor",
  vms: { work: "full" },
  dom0_read_allowed: true,
  blocked_commands: ["rm -rf /", "qvm-remove"],
});

const LOG = "[2026-02-18T14:30:22] INFO qvm-remote-dom0 1.1.0 starting (pid=812) vms=['work']\n" +
  "[2026-02-18T14:30:25] DONE vm=work id=20260218-143022-1234-a1b2c3d4 exit=0 duration=12ms\n";

export interface OriginalVm {
  readonly key: string;
  /** The folder's name; an older one was ".qubes-remote". */
  readonly folder?: ".qvm-remote" | ".qubes-remote";
}

/** What the original's client leaves in a home: folders 0755, the key 0600, the rest 0644. */
export async function installOriginalVm(
  home: string,
  { key, folder = ".qvm-remote" }: OriginalVm,
): Promise<string> {
  const base = `${home}/${folder}`;
  const id = "20260218-143022-1234-a1b2c3d4";
  for (const name of ["pending", "running", "results"]) {
    await Deno.mkdir(`${base}/queue/${name}`, { recursive: true });
  }
  await put(`${base}/auth.key`, key, 0o600);
  await put(
    `${base}/audit.log`,
    `[2026-02-18T14:30:22] SUBMIT id=${id} size=9B cmd=hostname\n`,
    0o644,
  );
  const history = `${base}/history/2026-02-18/${id}`;
  const meta = `id=${id}\nstarted=2026-02-18T14:30:22\nduration_ms=12\nexit_code=0\n`;
  const parts = { out: "dom0\n", err: "", exit: "0", meta, command: "hostname\n" };
  for (const [part, text] of Object.entries(parts)) await put(`${history}/${part}`, text, 0o644);
  return base;
}

async function put(path: string, text: string, mode: number): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, mode); // regardless of the umask
}

/** Every file and folder below: its mode, and what it says. */
export function treeOf(root: string, skip?: RegExp): ReadonlyMap<string, string> {
  const tree = new Map<string, string>();
  const visit = (path: string): void => {
    if (skip?.test(path)) return;
    const info = Deno.lstatSync(root + path);
    const mode = ((info.mode ?? 0) & 0o777).toString(8);
    if (!info.isDirectory) {
      const text = info.isSymlink
        ? Deno.readLinkSync(root + path)
        : Deno.readTextFileSync(root + path);
      return void tree.set(path, `${mode} ${text}`);
    }
    tree.set(`${path}/`, mode);
    for (const { name } of Deno.readDirSync(root + path)) visit(`${path}/${name}`);
  };
  visit("");
  return tree;
}
