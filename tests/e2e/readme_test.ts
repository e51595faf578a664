// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The README's section "Reach the agent", typed line by line into a simulated Qubes, with the
 * ports as they stand there. That takes a loopback for each VM and one for dom0: network
 * namespaces, which need root and ip; passed over elsewhere.
 *
 * @module
 */
import { OWN_NETWORK } from "../sim/own_network.ts";
import { assertEquals } from "@std/assert";
import { PROJECT } from "./program_flags.ts";

async function canMakeNetworks(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(OWN_NETWORK[0], {
      args: [...OWN_NETWORK.slice(1), "true"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

Deno.test({
  name: 'README, "Reach the agent": every line does what it says',
  ignore: !await canMakeNetworks(),
  async fn() {
    const { code, stdout, stderr } = await new Deno.Command(OWN_NETWORK[0], {
      args: [
        ...[...OWN_NETWORK.slice(1), Deno.execPath(), "run", "-A", "--no-check", "--quiet"],
        `${PROJECT}/tests/e2e/type-readme.ts`,
      ],
    }).output();
    const text = new TextDecoder();
    assertEquals(code, 0, text.decode(stdout) + text.decode(stderr));
  },
});

const README = `${PROJECT}/README.md`;

Deno.test({
  name: "README, a key qube: every line does what it says, to an answer without network and key",
  ignore: !await canMakeNetworks() ||
    !Deno.readTextFileSync(README).includes("setup-dom0 claw --key-qube"),
  async fn() {
    const program = `${PROJECT}/tests/e2e/type-keyqube.ts`;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--quiet", program, README],
    }).output();
    const text = new TextDecoder();
    assertEquals(code, 0, text.decode(stdout) + text.decode(stderr));
  },
});
