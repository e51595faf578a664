// SPDX-License-Identifier: GPL-2.0-or-later
/** The look at the system before anything is changed. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { setupPaths } from "../../../dom0/setup/paths.ts";
import type { Entry } from "../../../dom0/setup/record.ts";
import { parseInvocation } from "../../../dom0/setup/request.ts";
import { type Survey, survey } from "../../../dom0/setup/survey.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { fakeTools } from "./fake_tools.ts";

const LIST = "qvm-ls --raw-data --fields name,class,netvm,ip";
const ROWS = `claw|AppVM|disp-firewall|10.137.0.30
debian|TemplateVM|-|10.137.0.12
disp-firewall|DispVM|sys-net|10.138.7.7
loop-a|AppVM|loop-b|10.137.0.40
loop-b|AppVM|loop-a|10.137.0.41
sys-net|AppVM|-|10.137.0.5
taken|AppVM|-|10.137.0.100
`;

async function look(
  words: readonly string[],
  answers: Parameters<typeof fakeTools>[0] = {},
  record: readonly Entry[] = [],
): Promise<Survey> {
  const root = await Deno.makeTempDir();
  const paths = setupPaths(root);
  await Deno.mkdir(paths.policySource, { recursive: true });
  await Deno.writeTextFile(`${paths.policySource}/50-openclaw.policy`, "# policy\n");
  const { action } = parseInvocation(words);
  if (action.kind !== "setup") throw new Error(action.kind);
  const unit = { "systemctl cat openclaw-tunnels.service": 0 };
  try {
    const tools = fakeTools({ [LIST]: ROWS, ...unit, ...answers });
    return await survey(action.request, paths, record, tools);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("the way out of the agent, and what is said of a disposable on it", async () => {
  const { around, notes } = await look(["claw", "--mode=network", "--ip=10.137.0.101"]);
  assertEquals(around.hops.map(({ vm, next }) => `${vm} -> ${next}`), [
    ...["disp-firewall -> 10.137.0.101", "sys-net -> 10.138.7.7"],
  ]);
  assertStringIncludes(notes.join("\n"), "disp-firewall is a disposable");
  assertEquals(around.ours.size, 0);
});

Deno.test("what stands in the way is said before anything is changed", async () => {
  const provides = (vm: string) => ({ [`qvm-prefs ${vm} provides_network`]: "True\n" });
  const refused: readonly (readonly [string, string[], Parameters<typeof fakeTools>[0]?])[] = [
    ["taken has the address 10.137.0.100", ["claw", "--mode=network"]],
    [
      "go in a circle",
      ["claw", "--netvm=loop-a", "--mode=network", "--ip=10.137.0.101"],
      provides("loop-a"),
    ],
    ["debian is a TemplateVM", ["claw", "--admin-vm", "debian"]],
    ["no default template", ["new"], { "qubes-prefs default_template": "" }],
    ["openclaw-tunnels.service is not installed", ["claw"], {
      "systemctl cat openclaw-tunnels.service": 1,
    }],
    ["does not provide network", ["claw", "debian", "taken"], {
      "qvm-prefs taken provides_network": "False\n",
    }],
  ];
  for (const [said, words, answers] of refused) {
    await assertRejects(() => look(words, answers), UserError, said);
  }
});

Deno.test("a VM that an earlier run made is ours, with the template it was made from", async () => {
  const claw = parseVmName("claw");
  const made: Entry = {
    fact: { kind: "vm", vm: claw, class: "AppVM", template: parseVmName("debian"), label: "red" },
    ...{ from: null, to: "yes" },
  };
  const { around, notes } = await look(["claw"], {}, [made]);
  assertEquals([...around.ours], [claw]);
  assertEquals([around.template, notes], ["debian" as typeof claw, []]);
});
