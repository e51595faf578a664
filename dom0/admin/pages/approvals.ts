// SPDX-License-Identifier: GPL-2.0-or-later
/** Approvals: the answers of a person to requests that wait. @module */

import { type Admin, askerOf, viewOf } from "../admin_context.ts";
import { Dom0Error, type ParkedName, type ParkedRequest } from "../channel/dom0_channel.ts";
import {
  type Answer,
  type AskedBySession,
  type Form,
  HttpError,
  seeOther,
} from "../server/http_message.ts";
import type { Route } from "../server/router.ts";
import { approvalsPage } from "./approvals_page.ts";
import { MAX_REASON_CHARS, nameToType, requestPath } from "./request_words.ts";

const GRANT_SECONDS = 600;

export function approvalRoutes(admin: Admin): readonly Route[] {
  const show = async (asked: AskedBySession): Promise<Answer> => {
    const view = await viewOf(admin, asked);
    const { vm, id } = asked.named;
    const chosen = vm === undefined
      ? view.now.parked[0]
      : view.now.parked.find((one) => one.vm === vm && one.id === id);
    return approvalsPage(view, chosen, vm !== undefined && chosen === undefined);
  };
  return [
    { method: "GET", path: "/approvals", access: "session", answer: show },
    { method: "GET", path: "/approvals/:vm/:id", access: "session", answer: show },
    {
      method: "POST",
      path: "/approvals/:vm/:id",
      access: "session",
      answer: (asked) => decide(admin, asked),
    },
    {
      method: "POST",
      path: "/grants",
      access: "session",
      async answer({ form, session }) {
        await admin.channel.endGrant(form.get("grant") ?? "", askerOf(session));
        session.notices.push({ kind: "ok", text: "The grant is over." });
        return seeOther("/approvals");
      },
    },
  ];
}

async function decide(
  { channel }: Admin,
  { named, form, session }: AskedBySession,
): Promise<Answer> {
  const parked = { vm: named["vm"] ?? "", id: named["id"] ?? "" };
  const by = askerOf(session);
  try {
    session.notices.push({ kind: "ok", text: await answerParked(channel, parked, form, by) });
    return seeOther("/approvals");
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: error.message });
    return seeOther(requestPath(parked));
  }
}

/** @returns what was done, for a person */
async function answerParked(
  channel: Admin["channel"],
  parked: ParkedName,
  form: Form,
  by: string,
): Promise<string> {
  const hash = form.get("hash") ?? "";
  switch (form.get("answer")) {
    case "once":
      await requireName(channel, parked, form);
      await channel.approve(parked, hash, null, by);
      return `Approved once: ${parked.vm} goes on.`;
    case "while":
      if (await isDestructive(channel, parked)) {
        throw new Dom0Error(
          "Not approved: a request that destroys something is approved once, not for a time.",
        );
      }
      await channel.approve(parked, hash, GRANT_SECONDS, by);
      return `Approved: ${parked.vm} may do this for ${GRANT_SECONDS / 60} minutes.`;
    case "deny": {
      const reason = (form.get("reason") ?? "").slice(0, MAX_REASON_CHARS);
      await channel.deny(parked, hash, reason, by);
      return `Denied: ${parked.vm} has the answer.`;
    }
    default:
      throw new HttpError(400, "an answer is once, while or deny");
  }
}

async function findParked(
  channel: Admin["channel"],
  { vm, id }: ParkedName,
): Promise<ParkedRequest | undefined> {
  const { parked } = await channel.now();
  return parked.find((one) => one.vm === vm && one.id === id);
}

async function isDestructive(channel: Admin["channel"], parked: ParkedName): Promise<boolean> {
  return (await findParked(channel, parked))?.destructive === true;
}

/** What destroys asks for the name of what is destroyed, here as well as in the page. */
async function requireName(
  channel: Admin["channel"],
  parked: ParkedName,
  form: Form,
): Promise<void> {
  const request = await findParked(channel, parked);
  if (request?.destructive !== true) return;
  const name = nameToType(request);
  if (form.get("name") !== name) throw new Dom0Error(`Not approved: type ${name} to approve it.`);
}
