// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The demo's part about a VM between nothing and root: it reads, asks for everything else, and a
 * person in dom0 sees what would change before saying yes, and can take it back.
 *
 * @module
 */

import type { ParkedView } from "../../dom0/approval/parked_view.ts";
import { expectCode, expectOut, expectText, good, type Scene, type Step } from "./demo_step.ts";
import { type Finished, until } from "./installed.ts";

const PLAN = `steps:
- operation: vm.create
  name: new
  vm: ai-build
  label: red
- operation: vm.prefs.set
  vm: ai-build
  property: memory
  value: 800
`;

export function authoritySteps({ qubes }: Scene, vm: string): readonly Step[] {
  const client = (...words: string[]): Promise<Finished> => qubes.client(vm, words);
  const dom0 = (...words: string[]): Promise<Finished> => qubes.dom0(words);
  let changed = ""; // the id of what is taken back later

  /** What a person does while the client waits. */
  const decided = async (
    asking: Promise<Finished>,
    verb: "approve" | "deny",
    ...options: string[]
  ): Promise<{ readonly seen: string; readonly ended: Finished; readonly id: string }> => {
    let waiting: readonly ParkedView[] = [];
    await until("a request waits for a person", async () => {
      waiting = JSON.parse((await good(dom0("pending", "--json"))).stdout);
      return waiting.length === 1;
    });
    const { id = "", number = 0 } = waiting[0] ?? {};
    const { stdout } = await good(dom0("show", `${number}`));
    await good(dom0(verb, `${number}`, ...options));
    return { seen: stdout, ended: await asking, id };
  };

  return [
    {
      shown: `dom0$ qvm-remote-dom0 authorize --fetch --fingerprint … --grant ask ${vm}`,
      why: "an agent may read, and must ask for everything else",
      run: async () => {
        await good(client("key", "gen"));
        const { stdout } = await good(client("key", "fingerprint"));
        const words = ["--fetch", "--fingerprint", stdout.trim(), "--grant", "ask", vm];
        await good(dom0("authorize", ...words));
        const lines = (await good(client("ops"))).stdout.split("\n");
        return lines.filter((line) => /^(OPERATION|vm\.(list|prefs\.set|remove)) /.test(line))
          .join("\n");
      },
    },
    {
      shown: `${vm}$ qvm-remote op vm.prefs.set vm=work property=memory value=800 --why …` +
        "    dom0$ qvm-remote-dom0 show 1; approve 1",
      why: "a person sees what would change, as dom0 reads it, and says yes",
      run: async () => {
        const words = ["vm.prefs.set", "vm=work", "property=memory", "value=800"];
        const asking = client("op", ...words, "--why", "the build needs more memory");
        const { seen, ended, id } = await decided(asking, "approve", "--yes");
        changed = id;
        expectText(seen, /memory of work: 400 .*-> 800/);
        return seen + expectCode(ended, 0);
      },
    },
    {
      shown: `${vm}$ qvm-remote op vm.remove vm=lab    dom0$ qvm-remote-dom0 deny 2 --reason …`,
      why: "or no, and why",
      run: async () => {
        const asking = client("op", "vm.remove", "vm=lab");
        const { ended } = await decided(asking, "deny", "--reason", "lab is still needed");
        expectText(ended.stderr, /lab is still needed/);
        return expectCode(ended, 126);
      },
    },
    {
      shown: `${vm}$ qvm-remote plan - < new-qube.yaml    dom0$ qvm-remote-dom0 approve 3`,
      why: "several operations are seen, approved and run as one",
      run: async () => {
        const asking = qubes.client(vm, ["plan", "-"], PLAN);
        const { seen, ended } = await decided(asking, "approve", "--yes");
        expectText(ended.stdout, /^plan done: 2 of 2 steps done$/m);
        return seen + expectCode(ended, 0);
      },
    },
    {
      shown: "dom0$ qvm-remote-dom0 undo ID",
      why: "what was changed is taken back: dom0 kept the old value",
      run: async () => {
        const { stdout } = await good(dom0("undo", changed, "--vm", vm, "--yes"));
        const memory = await good(client("op", "vm.prefs.get", "vm=work", "property=memory"));
        return stdout + expectOut(memory, /^400$/m);
      },
    },
  ];
}
