// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What happened to qubes lately, as qubesd wrote it into dom0's journal: that one was started, why a start
 * failed, its network, its disposables. It writes nothing about a shutdown; vm.list has the state now.
 *
 * A line about a qube is "vm.NAME: MESSAGE", since Qubes 4.3 behind a level. Sources: qubes/log.py in
 * qubes-core-admin 4.2 and 4.4, journalctl(1).
 *
 * @module
 */

import type { Definition, JsonValue, Result } from "./operation.ts";
import { required } from "./parameter.ts";

type Event = Readonly<Record<"time" | "vm" | "message", string>> & {
  readonly level: string | null;
};

const LINE =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:Z|\+00:?00) \S+ qubesd(?:\[\d+\])?: (?:([A-Z]+): )?vm\.([A-Za-z][A-Za-z0-9_.-]{0,30}): (.*)$/;

/** Whatever has another form is about no qube. */
function eventIn(line: string): readonly Event[] {
  const [, time, level, vm, message] = LINE.exec(line) ?? [];
  if (time === undefined || vm === undefined || message === undefined) return [];
  return [{ time: `${time}Z`, vm, level: level?.toLowerCase() ?? null, message }];
}

function lineOf({ time, vm, level, message }: Event): string {
  return `${time} dom0 qubesd: ${
    level === null ? "" : `${level.toUpperCase()}: `
  }vm.${vm}: ${message}\n`;
}

/** What parse() made; anything else is a bug. */
const events = (value: JsonValue): readonly Event[] => value as unknown as readonly Event[];

const EVENT_LIST: Result = {
  schema: {
    type: "array",
    items: {
      type: "object",
      properties: {
        time: { type: "string", description: "UTC" },
        vm: { type: "string" },
        level: { type: ["string", "null"], description: "info, warning, error; null in Qubes 4.2" },
        message: { type: "string" },
      },
      required: ["time", "vm", "level", "message"],
      additionalProperties: false,
    },
  },
  parse: (text) => text.split("\n").flatMap(eventIn),
  format: (value) => events(value).map(lineOf).join(""),
  // Of a qube that is gone nobody can say any more whether this VM might have seen it.
  keepVisible: (value, view) =>
    events(value).filter(({ vm }) => view.shows(vm))
      .map((event) => ({ ...event, message: view.mask(event.message) })),
};

export const EVENTS: Readonly<Record<string, Definition>> = {
  "events.read": {
    summary: "List what happened to qubes lately: starts, failed starts and why, warnings",
    level: "monitor",
    lists: true,
    parameters: { lines: required("lines", "how many of the last lines of qubesd to look at") },
    run: "journalctl --utc --no-pager --output=short-iso --unit=qubesd --lines={lines}",
    result: EVENT_LIST,
  },
};
