// SPDX-License-Identifier: GPL-2.0-or-later
/** OpenClaw: how the agent VM does, what it used, its tunnels and configuration; its parts turned on and off. @module */

import { type Admin, askerOf, type View, viewOf } from "../../admin_context.ts";
import { readUse, type Use } from "../../agent/agent_status.ts";
import { type AgentSeen, configuredVm, statusOf } from "../../agent/agent_watch.ts";
import { Dom0Error, orProblem, type RunResult } from "../../channel/dom0_channel.ts";
import { type Content, type Html, lines, markup, NOTHING, when } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import { type Qube, qubeNamed } from "../../qube_list.ts";
import type { Route } from "../../server/router.ts";
import { page } from "../layout.ts";
import { empty, notice, panel, postButton, qube, says } from "../parts.ts";
import { configuration, endpoints, parts, providers, tunnels } from "./agent_panels.ts";
import { useByClient, useByDay } from "./use_panels.ts";

const TURNS: ReadonlyMap<string, string> = new Map([
  ["openclaw.start", "started"],
  ["openclaw.stop", "stopped"],
  ["openclaw.restart", "restarted"],
]);
export const LOG_PARTS = ["all", "proxy", "gateway", "watchdog", "tunnel"] as const;

export function openclawRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/openclaw",
    access: "session",
    answer: (asked) => agentPage(admin, asked),
  }, {
    method: "GET",
    path: "/openclaw/:vm/logs",
    access: "session",
    answer: (asked) => logPage(admin, asked),
  }, {
    method: "POST",
    path: "/openclaw/:vm/turn",
    access: "session",
    answer: (asked) => turn(admin, asked),
  }];
}

async function turn(admin: Admin, { named, form, session }: AskedBySession): Promise<Answer> {
  const { name: vm } = qubeNamed(await admin.qubes.get(), named["vm"] ?? "");
  const operation = form.get("operation") ?? "";
  const part = form.get("part") ?? "";
  const done = TURNS.get(operation);
  if (done === undefined) throw new HttpError(400, "there is no such button");
  const result = await orProblem(admin.channel.run(operation, { vm, part }, askerOf(session)));
  const words = part === "all" ? `Every part of ${vm}` : `The ${part} of ${vm}`;
  session.notices.push(
    result instanceof Dom0Error || result.exitCode !== 0
      ? { kind: "bad", text: `${words} was not ${done}. ${whyOf(result)}` }
      : { kind: "ok", text: `${words} is ${done}.` },
  );
  await admin.agent.look();
  return seeOther(`/openclaw?vm=${encodeURIComponent(vm)}`);
}

function whyOf(result: RunResult | Dom0Error): string {
  if (result instanceof Dom0Error) return result.message;
  return result.stderr.trim() || result.stdout.trim() || `It failed with code ${result.exitCode}.`;
}

/** The VM of the address, else the one that dom0 is set up for; null for none. */
function chosenVm({ qubes, query }: View, config: RunResult | Dom0Error): Qube | null {
  const name = query.get("vm") || configuredVm(config);
  return name === null ? null : qubeNamed(qubes, name);
}

async function agentPage(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const by = askerOf(asked.session);
  const [view, config, tunnelled] = await Promise.all([
    viewOf(admin, asked),
    orProblem(admin.channel.run("openclaw.config", {}, by)),
    orProblem(admin.channel.run("openclaw.tunnels", {}, by)),
  ]);
  const chosen = chosenVm(view, config);
  if (chosen === null) return noAgent(view);
  const isRunning = chosen.state === "Running";
  const [seen, use] = await Promise.all([
    isRunning ? lookAt(admin, chosen.name, by) : null,
    isRunning ? useOf(admin, chosen.name, by) : null,
  ]);
  return page(view, {
    title: "OpenClaw",
    facts: markup`agent VM ${qube(view, chosen.name)}`,
    actions: actions(view, chosen),
    main: markup`${tabs(chosen.name, "status")}${
      isRunning ? statusNotice(view, chosen.name, seen) : halted(view, chosen)
    }<div class="cols"><div class="c7 stack">${endpoints(view, seen)}${
      parts(view, chosen.name, seen?.status ?? null)
    }${useByClient(view, use)}</div><div class="c5 stack">${useByDay(view, use)}${
      providers(seen?.status ?? null)
    }</div></div><div class="cols gap"><div class="c6">${tunnels(tunnelled)}</div><div class="c6">${
      configuration(view, chosen.name, { config, status: seen?.status ?? null })
    }</div></div>`,
  });
}

async function lookAt(admin: Admin, vm: string, by: string): Promise<AgentSeen> {
  const result = await orProblem(admin.channel.run("openclaw.status", { vm }, by));
  const seenMs = admin.dateMs();
  return result instanceof Dom0Error
    ? { vm, status: null, problem: result.message, seenMs }
    : { vm, seenMs, ...statusOf(result) };
}

async function useOf(admin: Admin, vm: string, by: string): Promise<Use | string> {
  const result = await orProblem(admin.channel.run("openclaw.usage", { vm }, by));
  if (result instanceof Dom0Error) return result.message;
  return readUse(result.stdout) ?? (result.stderr.trim() || "The qube tells nothing of its use.");
}

function noAgent(view: View): Answer {
  return page(view, {
    title: "OpenClaw",
    facts: "no agent VM yet",
    main: markup`<section class="panel">${
      empty(
        "dom0 is set up for no agent VM.",
        markup`<span class="soft">In dom0’s terminal: <code>sudo setup-dom0 claw</code>. It makes the qube, its tags, policy and tunnels, and shows each command first with <code>--dry-run</code>.</span>`,
      )
    }</section>`,
  });
}

function tabs(vm: string, here: "status" | "logs"): Html {
  const current = (of: string): Html => when(here === of, markup` aria-current="page"`);
  return markup`<nav class="tabs" aria-label="Parts of OpenClaw"><a href="/openclaw?vm=${
    encodeURIComponent(vm)
  }"${current("status")}>Status</a><a href="/openclaw/${encodeURIComponent(vm)}/logs"${
    current("logs")
  }>Logs</a><a href="/openclaw?vm=${
    encodeURIComponent(vm)
  }#tunnels">Tunnels</a><a href="/openclaw?vm=${
    encodeURIComponent(vm)
  }#config">Configuration</a></nav>`;
}

function actions(view: View, { name, state }: Qube): Content {
  const { session } = view;
  const of = encodeURIComponent(name);
  if (state !== "Running") {
    const power = { operation: "vm.start" };
    return postButton(session, `/qubes/${of}/power`, power, `Start ${name}`, "main");
  }
  const turns = (operation: string, words: string): Html =>
    postButton(session, `/openclaw/${of}/turn`, { part: "all", operation }, words, "");
  return markup`${turns("openclaw.start", "Start all")}${turns("openclaw.restart", "Restart all")}${
    turns("openclaw.stop", "Stop all")
  }`;
}

function halted(view: View, { name, state }: Qube): Html {
  return notice(
    "wait",
    markup`<strong>${
      qube(view, name)
    } is ${state.toLowerCase()}.</strong> Nothing is asked of it: an agent VM is not started by a look at it.`,
  );
}

function statusNotice(view: View, vm: string, seen: AgentSeen | null): Html {
  if (seen === null || seen.problem === null) return NOTHING;
  return markup`<div class="notice bad" role="alert"><div><strong>openclaw-ctl in <bdi>${vm}</bdi> did not answer.</strong>${
    says(view, vm, "its own words", markup`<blockquote>${seen.problem}</blockquote>`)
  }<p class="small">Is it set up? In the qube: <code>openclaw-ctl doctor</code></p></div></div>`;
}

async function logPage(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const { name: vm } = qubeNamed(await admin.qubes.get(), asked.named["vm"] ?? "");
  const part = LOG_PARTS.find((one) => one === asked.query.get("part")) ?? "all";
  const [view, result] = await Promise.all([
    viewOf(admin, asked),
    orProblem(admin.channel.run("openclaw.logs", { vm, part }, askerOf(asked.session))),
  ]);
  const isThere = !(result instanceof Dom0Error) && result.exitCode === 0;
  return page(view, {
    title: "OpenClaw",
    facts: markup`agent VM ${qube(view, vm)}`,
    main: markup`${tabs(vm, "logs")}
<form class="filters" method="get"><div class="field"><label for="part">Part</label><select id="part" name="part">${
      LOG_PARTS.map((one) =>
        markup`<option${when(one === part, markup` selected`)}>${one}</option>`
      )
    }</select></div><button>Show</button></form>
${
      panel(
        { title: "The last 200 lines", id: "lines", aside: "reading them is on record" },
        markup`<div class="body">${
          isThere
            ? says(
              view,
              vm,
              "its journal, in its own words",
              markup`<pre tabindex="0" aria-label="Journal">${
                lines(result.stdout.trimEnd())
              }</pre>`,
            )
            : markup`<p class="bad">It cannot be read. ${whyOf(result)}</p>`
        }</div>`,
      )
    }`,
  });
}
