// SPDX-License-Identifier: GPL-2.0-or-later
/** What the daemon does for the web admin with archives of the configuration. @module */

import type { JsonValue } from "../operations/operation.ts";
import {
  listArchives,
  lookAtArchive,
  makeArchive,
  removeArchive,
  takeInArchive,
} from "../operator/config_archives.ts";
import type { KnownQubes } from "../policy/qube_facts.ts";
import type { Paths } from "../settings/paths.ts";
import type { OrderFields } from "./order_fields.ts";

type Facts = (tags: ReadonlySet<string>) => Promise<KnownQubes>;
type AnswerTo = (order: OrderFields, by: string) => Promise<JsonValue>;

export function archiveAnswers(paths: Paths, facts: Facts): ReadonlyMap<string, AnswerTo> {
  return new Map<string, AnswerTo>([
    ["archives", async () => ({
      folder: paths.archivesFolder,
      archives: await listArchives(paths),
    })],
    ["make-archive", async (order, invokedBy) => {
      const { inventory } = await facts(new Set());
      const qubes = inventory === null
        ? null
        : [...inventory.types].map(([name, kind]) => ({ name, class: kind }));
      return { name: await makeArchive({ paths, invokedBy }, order.flag("withKeys"), qubes) };
    }],
    [
      "look-at-archive",
      async (order) => ({
        ...await lookAtArchive(paths, order.text("name"), order.flag("withKeys")),
      }),
    ],
    ["take-in-archive", async (order, invokedBy) => {
      const { name, withKeys, mark } = {
        name: order.text("name"),
        withKeys: order.flag("withKeys"),
        mark: order.text("mark"),
      };
      return { before: await takeInArchive({ paths, invokedBy }, name, withKeys, mark) };
    }],
    ["remove-archive", async (order, invokedBy) => {
      await removeArchive({ paths, invokedBy }, order.text("name"));
      return {};
    }],
  ]);
}
