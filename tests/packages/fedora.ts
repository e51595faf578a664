// SPDX-License-Identifier: GPL-2.0-or-later
/** A machine that boots, with what packages for dom0 find on a Fedora, and packages in it. @module */

import { bootDom0, type Dom0Machine } from "../machine/qubes_machine.ts";
import type { Machine } from "../machine/machine.ts";
import { DIST, DIST_INSIDE, rpmFile } from "./dist.ts";

/** Folders that are there, presets that enable nothing, and what the packages' scripts call. */
const FEDORA = `
mkdir -p /usr/share/applications /usr/share/icons/hicolor/scalable/apps /usr/share/licenses /var/log/qubes
mkdir -p /usr/lib/systemd/system-preset
echo 'disable *' >/usr/lib/systemd/system-preset/99-default-disable.preset
cat >/usr/lib/systemd/systemd-update-helper <<'END'
#!/bin/sh
verb=$1
shift
case $verb in
  install-system-units) systemctl --no-reload preset "$@" ;;
  remove-system-units) systemctl --no-reload disable --now "$@" ;;
  mark-restart-system-units) for unit; do systemctl set-property "$unit" Markers=+needs-restart || true; done ;;
esac
END
chmod 755 /usr/lib/systemd/systemd-update-helper`;

/** What systemd's own package does on a Fedora when all packages are in. */
const AFTER = "systemctl daemon-reload; systemctl reload-or-restart --marked";

/** Where a machine has the packages of a release. */
export function filesInside(names: readonly string[], release: number): string {
  return names.map((name) => `${DIST_INSIDE}/${rpmFile(name, release)}`).join(" ");
}

export async function put(
  machine: Machine,
  verb: string,
  names: readonly string[],
  release: number,
): Promise<void> {
  await machine.good(`rpm --nodeps ${verb} ${filesInside(names, release)}
    ${AFTER}`);
}

/**
 * A dom0 into which these packages of the first release were installed.
 *
 * @param look sees the machine before that
 */
export function bootWith(
  names: readonly string[],
  look: (machine: Machine) => Promise<void> = () => Promise.resolve(),
): Promise<Dom0Machine> {
  return bootDom0([{ name: "work" }], {
    binds: [{ from: DIST, to: DIST_INSIDE }],
    async install(machine) {
      await machine.good(FEDORA);
      await look(machine);
      await put(machine, "--install", names, 1);
    },
  });
}
