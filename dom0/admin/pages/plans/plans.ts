// SPDX-License-Identifier: GPL-2.0-or-later
/** Plans: those that wait for a yes, that run, and that have run; each step with what it changes. @module */

import { type Admin, askerOf, type View, viewOf } from "../../admin_context.ts";
import { Dom0Error, orProblem, type ParkedRequest } from "../../channel/dom0_channel.ts";
import { type Content, type Html, markup, NOTHING, when } from "../../markup/markup.ts";
import type { PlanView } from "../../../plans/plan_view.ts";
import { OPERATOR } from "../../../undo/run_undo.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import type { Route } from "../../server/router.ts";
import { page } from "../layout.ts";
import { count, empty, many, panel, qube, span, state, time } from "../parts.ts";
import { requestPath } from "../request_words.ts";
import { planDetail, type ShownPlan } from "./plan_detail.ts";
import { planPath, planState } from "./plan_words.ts";

export function planRoutes(admin: Admin): readonly Route[] {
  const show = async (asked: AskedBySession): Promise<Answer> => {
    const [plans, view] = [await admin.channel.plans(), await viewOf(admin, asked)];
    const { vm, id } = asked.named;
    const chosen = vm === undefined
      ? plans[0]
      : plans.find((plan) => plan.vm === vm && plan.id === id);
    const isGone = vm !== undefined && chosen === undefined;
    return plansPage(
      view,
      plans,
      chosen === undefined ? null : await withUndo(admin, chosen),
      isGone,
    );
  };
  return [
    { method: "GET", path: "/plans", access: "session", answer: show },
    { method: "GET", path: "/plans/:vm/:id", access: "session", answer: show },
    {
      method: "POST",
      path: "/plans/:vm/:id",
      access: "session",
      answer: (asked) => change(admin, asked),
    },
  ];
}

/** A plan with what is kept of its steps; nothing of one that runs. */
async function withUndo({ channel }: Admin, plan: PlanView): Promise<ShownPlan> {
  if (plan.state === "running") return { plan, undo: [] };
  const undo = await orProblem(channel.undoState(plan));
  return { plan, undo: undo instanceof Dom0Error ? [] : undo };
}

async function change(
  { channel, qubes }: Admin,
  { named, form, session }: AskedBySession,
): Promise<Answer> {
  const plan = { vm: named["vm"] ?? "", id: named["id"] ?? "" };
  const by = askerOf(session);
  const said = (kind: "ok" | "bad", text: string): void =>
    void session.notices.push({ kind, text });
  try {
    switch (form.get("what")) {
      case "cancel":
        await channel.cancel(plan.id, by);
        said("ok", "It is being stopped.");
        break;
      case "undo":
        await channel.undoPlan(plan, by);
        said("ok", "Undone, and on record.");
        break;
      default:
        throw new HttpError(400, "what is cancel or undo");
    }
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    said("bad", error.message);
  }
  qubes.forget();
  return seeOther(planPath(plan));
}

function plansPage(
  view: View,
  plans: readonly PlanView[],
  chosen: ShownPlan | null,
  isGone: boolean,
): Answer {
  const waiting = view.now.parked.filter(isPlan);
  const running = plans.filter((plan) => plan.state === "running");
  return page(view, {
    title: "Plans",
    facts: `${count(waiting.length)} ${waiting.length === 1 ? "waits" : "wait"} for you, ${
      count(running.length)
    } ${running.length === 1 ? "runs" : "run"}`,
    actions: markup`<span class="small soft" id="live-state" data-own>${
      state("off", "Not live")
    }</span>`,
    main: markup`<div class="cols"><div class="c4 w3 stack">${waitingList(view, waiting)}${
      staged(view)
    }${planList(view, plans, chosen?.plan)}</div>
<div class="c8 w9 stack" id="plan" data-live>${
      chosen === null ? noPlan(isGone) : planDetail(view, chosen)
    }</div></div>`,
  });
}

function isPlan({ steps }: ParkedRequest): boolean {
  return steps !== null;
}

function noPlan(isGone: boolean): Html {
  return markup`<section class="panel">${
    isGone
      ? empty(
        "This plan is not here any more.",
        markup`<span class="soft">The last 20 of each VM are kept until the machine is started anew. <a href="/logs?text=plan">The log has all of them.</a></span>`,
      )
      : empty(
        "No plan has run.",
        markup`<span class="soft">A plan is several operations as one: a VM sends one with <code>qvm-remote plan</code>, and your <a href="/staged">staged changes</a> are applied as one.</span>`,
      )
  }</section>`;
}

function waitingList(view: View, waiting: readonly ParkedRequest[]): Html {
  return panel(
    { title: "Waiting for you", id: "plans-waiting", isLive: true, aside: count(waiting.length) },
    waiting.length === 0 ? empty("None.") : markup`<ul class="list">${
      waiting.map((request) =>
        row({
          key: `${request.vm}/${request.id}`,
          path: requestPath(request),
          isChosen: false,
          head: markup`${qube(view, request.vm)} ${many(request.steps?.length ?? 0, "step")}`,
          aside: span(view.nowMs - request.parkedMs),
          below: state("wait", request.destructive ? "Waiting; destroys" : "Waiting"),
        })
      )
    }</ul>`,
  );
}

/** A plan that is still being written. */
function staged({ session }: View): Html {
  const { length } = session.staged;
  if (length === 0) return NOTHING;
  return panel(
    { title: "Yours, not run yet" },
    markup`<ul class="list">${
      row({
        key: "staged",
        path: "/staged",
        isChosen: false,
        head: many(length, "staged change"),
        aside: "",
        below: session.applying === null
          ? state("off", "Nothing is changed yet")
          : state("busy", "Being applied"),
      })
    }</ul>`,
  );
}

function planList(view: View, plans: readonly PlanView[], chosen: PlanView | undefined): Html {
  return panel(
    { title: "Running and ended", id: "plans-run", isLive: true, aside: "newest first" },
    plans.length === 0
      ? empty("None.")
      : markup`<ul class="list" data-rows>${
        plans.map((plan) =>
          row({
            key: `${plan.vm}/${plan.id}`,
            path: planPath(plan),
            isChosen: plan === chosen,
            head: markup`${qube(view, plan.vm === OPERATOR ? null : plan.vm)} ${
              many(plan.steps.length, "step")
            }`,
            aside: time(plan.begunMs, view.nowMs),
            below: markup`${planState(plan)}${
              plan.vm === OPERATOR && markup` <span class="soft">by ${plan.by}</span>`
            }`,
          })
        )
      }</ul>`,
  );
}

interface Row {
  readonly key: string;
  readonly path: string;
  readonly isChosen: boolean;
  readonly head: Content;
  readonly aside: Content;
  readonly below: Content;
}

function row({ key, path, isChosen, head, aside, below }: Row): Html {
  return markup`<li data-key="${key}"><a href="${path}"${
    when(isChosen, markup` aria-current="true"`)
  }><span class="row"><span>${head}</span><span class="soft small">${aside}</span></span><span class="small">${below}</span></a></li>`;
}
