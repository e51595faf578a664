// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Sections of the README and its pages, typed command by command into a simulated Qubes, with the
 * ports as they stand there. That takes a loopback for each VM and one for dom0: network
 * namespaces, which need root and ip; passed over elsewhere.
 *
 * @module
 */
import { canMakeNetworks, OWN_NETWORK } from "../sim/own_network.ts";
import { assertEquals } from "@std/assert";
import { PROJECT } from "./program_flags.ts";

const SECTIONS: readonly (readonly [section: string, program: string])[] = [
  ["README.md, Reach the agent", "type-readme.ts"],
  ["vm/setup/README.md, Run an agent", "type-agent.ts"],
];

for (const [section, program] of SECTIONS) {
  Deno.test({
    name: `${section}: every line does what it says`,
    ignore: !await canMakeNetworks(),
    async fn() {
      const { code, stdout, stderr } = await new Deno.Command(OWN_NETWORK[0], {
        args: [
          ...[...OWN_NETWORK.slice(1), Deno.execPath(), "run", "-A", "--no-check", "--quiet"],
          `${PROJECT}/tests/e2e/${program}`,
        ],
      }).output();
      const text = new TextDecoder();
      assertEquals(code, 0, text.decode(stdout) + text.decode(stderr));
    },
  });
}
