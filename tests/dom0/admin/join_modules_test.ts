// SPDX-License-Identifier: GPL-2.0-or-later
/** One script out of small modules: the same values, once each, in the order of the imports. @module */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ASSET_ROUTES } from "../../../dom0/admin/assets.ts";
import { joinModules } from "../../../dom0/admin/join_modules.ts";
import { startScene } from "./admin_scene.ts";

/** Runs it. @returns what the entry leaves as "joined" */
async function resultOf(modules: Readonly<Record<string, string>>): Promise<unknown> {
  const text = joinModules("main.js", new Map(Object.entries(modules)));
  await new Function(`return (async () => {${text}})()`)();
  return (globalThis as { joined?: unknown }).joined;
}

Deno.test("each module runs once, has its own names, and gives what it exports", async () => {
  const result = await resultOf({
    "main.js":
      `import "./log.js";\nimport {\n  one,\n  two,\n} from "./two.js";\nimport { NAME } from "./name.js";\nglobalThis.joined = [one(), await two(), NAME];\n`,
    "two.js":
      `import { NAME } from "./name.js";\nlet count = 0;\nexport function one() {\n  return ++count + NAME;\n}\nexport async function two() {\n  return await ++count;\n}\n`,
    "log.js":
      `import { one } from "./two.js";\nconst count = one();\nif (count !== "1x") throw count;\n`,
    "name.js": `export const NAME = "x";\n`,
  });
  assertEquals(result, ["2x", 3, "x"]);
});

Deno.test("a form that is not known is refused, and so is an import of nothing or in a circle", () => {
  const join = (modules: Record<string, string>) => () =>
    joinModules("main.js", new Map(Object.entries(modules)));
  for (
    const [line, message] of [
      [`import x from "./a.js";`, 'bug: main.js: import x from "./a.js";'],
      [`import * as a from "./a.js";`, "bug: main.js: import * as a"],
      [`import { a as b } from "./a.js";`, "bug: main.js: import { a as b }"],
      [`import { a } from "../a.js";`, "bug: main.js: import { a } from"],
      [`export class A {}`, "bug: main.js: export class A {}"],
      [`export let a = 1;`, "bug: main.js: export let a"],
      [`export { a };`, "bug: main.js: export { a };"],
      [`import { a } from "./a.js";`, "bug: a.js exports no a"],
      [`import { a } from "./b.js";`, "bug: there is no module b.js"],
      [`import "./main.js";`, "bug: main.js imports itself"],
    ] as const
  ) {
    assertThrows(join({ "main.js": `${line}\n`, "a.js": "" }), Error, message);
  }
  const circle = { "main.js": `import "./a.js";\n`, "a.js": `import "./main.js";\n` };
  assertThrows(join(circle), Error, "bug: main.js imports itself");
});

Deno.test("each script that is served is whole: it asks for no other", async () => {
  await using scene = await startScene();
  const scripts = ASSET_ROUTES.map(({ path }) => path).filter((path) => path.endsWith(".js"));
  assertEquals(scripts.length, 4);
  for (const path of scripts) {
    const { text } = await scene.get(path);
    assertMatch(text, /SPDX-License-Identifier/);
    assertEquals(/^(?:import|export)\b/m.test(text), false, path);
    new Function(`return async () => {${text}};`); // it is of good form
  }
});
