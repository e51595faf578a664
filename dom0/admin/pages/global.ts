// SPDX-License-Identifier: GPL-2.0-or-later
/** Global: properties of the system, templates, Xen, this machine. @module */

import { type Admin, askerOf, viewOf } from "../admin_context.ts";
import { Dom0Error, type RunResult } from "../channel/dom0_channel.ts";
import { type Html, lines, markup } from "../markup/markup.ts";
import type { Route } from "../server/router.ts";
import { page } from "./layout.ts";
import { empty, panel, table } from "./parts.ts";

/** Each panel is one operation that reads. */
const READS: readonly (readonly [operation: string, title: string])[] = [
  ["system.prefs.list", "Prefs"],
  ["template.list", "Templates"],
  ["host.version", "Release"],
  ["host.kernel", "Kernel"],
  ["host.uptime", "Uptime"],
  ["host.memory", "Memory of dom0"],
  ["host.disk", "Disks of dom0"],
  ["xen.info", "Xen"],
];

export function globalRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/global",
    access: "session",
    async answer(asked) {
      const by = askerOf(asked.session);
      const read = async (operation: string): Promise<RunResult | Dom0Error> => {
        try {
          return await admin.channel.run(operation, {}, by);
        } catch (error) {
          if (error instanceof Dom0Error) return error;
          throw error;
        }
      };
      const [view, ...results] = await Promise.all([
        viewOf(admin, asked),
        ...READS.map(([operation]) => read(operation)),
      ]);
      const [prefs, ...others] = READS.map(([operation, title], index) =>
        part(operation, title, results[index])
      );
      return page(view, {
        title: "Global",
        facts: "The system as a whole",
        actions:
          markup`<a class="btn" href="/execute?operation=update.check">Look for updates of dom0</a>`,
        main:
          markup`<div class="cols"><div class="c6 stack">${prefs}</div><div class="c6 stack">${others}</div></div>`,
      });
    },
  }];
}

function part(operation: string, title: string, result: RunResult | Dom0Error | undefined): Html {
  return panel({ title, aside: markup`<code>${operation}</code>` }, content(operation, result));
}

function content(operation: string, result: RunResult | Dom0Error | undefined): Html {
  if (result === undefined) return empty("Not asked.");
  if (result instanceof Dom0Error) {
    return empty(markup`<span class="bad">Cannot be read.</span> ${result.message}`);
  }
  const { exitCode, stdout, stderr, value } = result;
  if (exitCode !== 0) {
    return empty(
      markup`<span class="bad">Cannot be read.</span> ${stderr.trim() || `exit ${exitCode}`}`,
    );
  }
  if (operation === "system.prefs.list") return prefs(result);
  if (Array.isArray(value)) return rows(value);
  return markup`<div class="body"><pre tabindex="0">${lines(stdout.trimEnd())}</pre></div>`;
}

function prefs({ value }: RunResult): Html {
  const all = typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value)
    : [];
  return table(
    [{ name: "Property" }, { name: "Value" }, { name: "Note" }, {
      name: "Action",
      look: "num",
      isSilent: true,
    }],
    all.map(([name, property]) => {
      const { value: now = null, isDefault = false } = property as {
        value?: string | null;
        isDefault?: boolean;
      };
      return {
        cells: [
          markup`<code>${name}</code>`,
          now === null || now === "" ? markup`<span class="soft">none</span>` : now,
          markup`<span class="soft">${isDefault && "default"}</span>`,
          markup`<a class="btn lean" href="/execute?operation=system.prefs.set&amp;property=${
            encodeURIComponent(name)
          }&amp;value=${encodeURIComponent(now ?? "")}">Edit<span class="vh"> ${name}</span></a>`,
        ],
      };
    }),
    "edits",
  );
}

function rows(value: readonly unknown[]): Html {
  const all = value.filter((row): row is Readonly<Record<string, unknown>> =>
    typeof row === "object" && row !== null
  );
  const names = Object.keys(all[0] ?? {});
  if (all.length === 0) return empty("None.");
  return table(
    names.map((name) => ({ name: name.replaceAll("_", " ") })),
    all.map((row) => ({
      cells: names.map((name) =>
        row[name] === null || row[name] === undefined ? "" : String(row[name])
      ),
    })),
  );
}
