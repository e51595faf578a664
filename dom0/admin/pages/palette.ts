// SPDX-License-Identifier: GPL-2.0-or-later
/** What the palette finds: pages, qubes, operations. @module */

import type { Admin } from "../admin_context.ts";
import { textAnswer } from "../server/http_message.ts";
import { OPERATIONS } from "../../operations/table.ts";
import type { Route } from "../server/router.ts";
import { visibleText } from "../markup/visible_text.ts";
import { PAGES } from "./layout.ts";

interface Hit {
  readonly group: "Pages" | "Qubes" | "Operations";
  readonly name: string;
  readonly about: string;
  readonly path: string;
}

export function paletteRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/palette",
    access: "session",
    async answer() {
      const { qubes } = await admin.qubes.get();
      const hits: readonly Hit[] = [
        ...PAGES.flatMap(([group, pages]) =>
          pages.map(([path, name]): Hit => ({ group: "Pages", name, about: group, path }))
        ),
        ...qubes.map(({ name, state }): Hit => ({
          group: "Qubes",
          name: visibleText(name),
          about: visibleText(state),
          path: `/qubes/${encodeURIComponent(name)}`,
        })),
        ...[...OPERATIONS.values()].map(({ name, summary }): Hit => ({
          group: "Operations",
          name,
          about: summary,
          path: `/execute?operation=${name}`,
        })),
      ];
      return textAnswer(JSON.stringify(hits), "application/json");
    },
  }];
}
