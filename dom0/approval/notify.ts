// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Tells the person at the screen that a request waits: a notification, and where dom0 has zenity a
 * dialog with the text that "show" prints, which answers as "approve" and "deny" do. There is one
 * dialog at a time, however many requests wait. It begins with nothing chosen: typing on into it, or
 * closing it, neither approves nor refuses.
 *
 * What a VM wrote reaches the screen in the dialog only, as plain text on its stdin, and with every
 * character that is not plain ASCII shown by its number.
 *
 * @module
 */

import { errorText } from "../../shared/cli/program.ts";
import type { Answer, Approve, Approver, Deny, Notice } from "./parking.ts";
import type { ParkedView } from "./parked_view.ts";
import { foldLines, presentRequest } from "./present.ts";
import { findScreenUser, inSession, type RunTool } from "./screen.ts";

/** A VM that parks and withdraws again and again must not cause a notification each time. */
const BETWEEN_NOTIFICATIONS_MS = 5_000;
const DENY = "Deny";

export interface NotifyOptions {
  readonly isOn: () => boolean;
  readonly run: RunTool;
  /** Whether dom0 has the program. */
  readonly has: (program: "notify-send" | "zenity") => boolean;
  readonly spanMs: () => number;
  /** The request as it waits now; undefined if it no longer does. */
  readonly current: (view: ParkedView) => ParkedView | undefined;
  readonly scriptOf: (view: ParkedView) => Uint8Array | null;
  readonly approve: (order: Approve, by: Approver) => Promise<Answer>;
  readonly deny: (order: Deny, by: Approver) => Promise<Answer>;
}

export interface Notifying {
  readonly notice: Notice;
  /** For a rule that allows and says notify=yes. */
  readonly tellRun: (what: Ran) => void;
  /** Of a VM that does not have the key that dom0 has. */
  readonly tellBackedOff: (vm: string) => void;
}

export interface Ran {
  readonly vm: string;
  readonly operation: string;
  readonly targets: readonly string[];
}

export function createNotifying(options: NotifyOptions): Notifying {
  const { isOn, spanMs } = options;
  let lastMs = -Infinity;
  let queue: readonly ParkedView[] = [];
  let isShowing = false;
  let openUnit: { readonly id: string; readonly unit: string } | null = null;

  const notify = (summary: string, body: string): void => {
    if (spanMs() - lastMs < BETWEEN_NOTIFICATIONS_MS) return;
    lastMs = spanMs();
    notifyAlways(summary, body);
  };
  const notifyAlways = (summary: string, body: string): void => {
    if (!options.has("notify-send")) return;
    send(summary, body, options).catch((error) => console.error(`notify: ${errorText(error)}`));
  };
  const showAll = async (): Promise<void> => {
    if (isShowing) return;
    isShowing = true;
    for (let next; (next = queue[0]) !== undefined;) {
      queue = queue.slice(1);
      const unit = `qvm-remote-ask-${Deno.pid}-${next.number}`;
      openUnit = { id: next.id, unit };
      await askInDialog(next, unit, options)
        .catch((error) => console.error(`dialog: ${errorText(error)}`));
      openUnit = null;
    }
    isShowing = false;
  };
  return {
    notice(view) {
      if (!isOn()) return { end() {} };
      notify(`${view.vm} asks`, `${view.operation} on ${view.targets.join(", ")}`);
      if (options.has("zenity")) {
        queue = [...queue, view];
        void showAll();
      }
      return {
        end() {
          queue = queue.filter((one) => one !== view);
          if (openUnit?.id === view.id) void options.run(["systemctl", "stop", openUnit.unit]);
        },
      };
    },
    tellRun({ vm, operation, targets }) {
      if (isOn()) notify(`${vm} was allowed`, `${operation} on ${targets.join(", ")}`);
    },
    tellBackedOff(vm) { // once for each back-off, so it is not left out for what came just before
      if (isOn()) notifyAlways(`${vm} is not listened to`, WRONG_KEY);
    },
  };
}

const WRONG_KEY = "its requests are not signed with the key that dom0 has";

let notifications = 0;

async function send(summary: string, body: string, { run }: NotifyOptions): Promise<void> {
  const user = await findScreenUser(run);
  if (user === null) return;
  const unit = `qvm-remote-notify-${Deno.pid}-${++notifications}`;
  const words = ["--app-name=qvm-remote", "--", `qvm-remote: ${summary}`, withoutMarkup(body)];
  await run(inSession(user, unit, ["/usr/bin/notify-send", ...words]));
}

/** The notification server may read the body as markup. */
export function withoutMarkup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Until it is answered or put off; shown again if by then it would change something else. */
async function askInDialog(
  first: ParkedView,
  unit: string,
  options: NotifyOptions,
): Promise<void> {
  const { run, current, approve, deny } = options;
  for (let view = current(first); view !== undefined; view = current(first)) {
    const user = await findScreenUser(run);
    if (user === null) return;
    const ended = await run(inSession(user, unit, dialogOf(view)), textOf(view, options));
    const by: Approver = { user: user.name, via: "dialog" };
    const { vm, id, hash } = view;
    const isDenied = ended?.stdout.trim() === DENY;
    if (isDenied) await deny({ vm, id, hash, reason: null }, by);
    else if (ended?.code === 0) {
      await approve({ vm, id, hash, forSeconds: null, allLike: false }, by);
    } else return; // "Later", closed, ended, or there is no zenity to be started
  }
}

/** zenity breaks lines at blanks only: what has none would go on behind the edge of the window. */
const COLUMNS = 80;

function textOf(view: ParkedView, { scriptOf }: NotifyOptions): string {
  return foldLines(presentRequest(view, scriptOf(view)), COLUMNS);
}

/** "Approve" cannot be chosen before the box is ticked. */
function dialogOf({ vm }: ParkedView): readonly string[] {
  return [
    "/usr/bin/zenity",
    "--text-info",
    `--title=qvm-remote: ${vm} asks`,
    "--width=900",
    "--height=700",
    "--font=monospace",
    "--checkbox=I have read all of it",
    "--ok-label=Approve",
    "--cancel-label=Later",
    `--extra-button=${DENY}`,
  ];
}

/** Whether a program is there, without starting it. */
export function hasProgram(program: string): boolean {
  try {
    return Deno.statSync(`/usr/bin/${program}`).isFile;
  } catch {
    return false;
  }
}
