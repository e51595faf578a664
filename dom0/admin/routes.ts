// SPDX-License-Identifier: GPL-2.0-or-later
/** Every address of the web admin. @module */

import { setCookie } from "@std/http/cookie";
import { type Admin, askerOf } from "./admin_context.ts";
import { ASSET_ROUTES } from "./assets.ts";
import { parseForm, requireFormType } from "./server/form.ts";
import { type Answer, HttpError } from "./server/http_message.ts";
import { COOKIE } from "./server/sessions.ts";
import { approvalRoutes } from "./pages/approvals.ts";
import { backupRoutes } from "./pages/backup/backup.ts";
import { configurationRoutes } from "./pages/configuration.ts";
import { dashboardRoutes } from "./pages/dashboard/dashboard.ts";
import { executeRoutes } from "./pages/execute/execute.ts";
import { fileRoutes } from "./pages/files/files.ts";
import { globalRoutes } from "./pages/global.ts";
import { keyRoutes } from "./pages/keys/keys.ts";
import { lockdownRoutes } from "./pages/lockdown.ts";
import { logRoutes } from "./pages/logs.ts";
import { networkRoutes } from "./pages/qubes/network.ts";
import { openclawRoutes } from "./pages/openclaw/openclaw.ts";
import { paletteRoutes } from "./pages/palette.ts";
import { planRoutes } from "./pages/plans/plans.ts";
import { policyRoutes } from "./pages/policy/policy.ts";
import { qrexecRoutes } from "./pages/qrexec.ts";
import { qubeRoutes } from "./pages/qubes/qube_page.ts";
import { qubesRoutes } from "./pages/qubes/qubes.ts";
import { sessionRoutes } from "./pages/sessions_page.ts";
import { stagedRoutes } from "./pages/plans/staged.ts";
import { undoRoutes } from "./pages/undo/undo.ts";
import type { Route } from "./server/router.ts";
import type { TicketOffice } from "./server/tickets.ts";

export function adminRoutes(admin: Admin, tickets: TicketOffice): readonly Route[] {
  return [
    ...dashboardRoutes(admin),
    ...approvalRoutes(admin),
    ...logRoutes(admin),
    ...undoRoutes(admin),
    ...qubesRoutes(admin),
    ...qubeRoutes(admin),
    ...networkRoutes(admin),
    ...executeRoutes(admin),
    ...fileRoutes(admin),
    ...keyRoutes(admin),
    ...policyRoutes(admin),
    ...qrexecRoutes(admin),
    ...stagedRoutes(admin),
    ...planRoutes(admin),
    ...openclawRoutes(admin),
    ...backupRoutes(admin),
    ...configurationRoutes(admin),
    ...globalRoutes(admin),
    ...sessionRoutes(admin),
    ...lockdownRoutes(admin),
    ...paletteRoutes(admin),
    liveRoute(admin),
    loginRoute(admin, tickets),
    ...ASSET_ROUTES,
  ];
}

function liveRoute({ live }: Admin): Route {
  return {
    method: "GET",
    path: "/live",
    access: "session",
    answer: ({ session }) => ({
      status: 200,
      headers: new Headers({ "content-type": "text/event-stream" }),
      body: live.stream(session.name),
    }),
  };
}

/** Takes the ticket that "open" put into the fragment of the address. */
function loginRoute({ sessions, channel }: Admin, tickets: TicketOffice): Route {
  return {
    method: "POST",
    path: "/login",
    access: "open",
    async answer({ headers }, readBody): Promise<Answer> {
      requireFormType(headers.get("content-type"));
      const ticket = parseForm(await readBody()).get("ticket") ?? "";
      if (tickets.isClosed()) throw new HttpError(429, "too many logins failed; wait a minute");
      if (!await tickets.take(ticket)) {
        throw new HttpError(401, "this login was used, or is too old");
      }
      const secret = sessions.begin();
      const session = sessions.find(secret);
      if (session !== null) {
        await channel.note("began a web session", askerOf(session)).catch(() => {});
      }
      const answer: Answer = { status: 204, headers: new Headers(), body: "" };
      setCookie(answer.headers, {
        name: COOKIE,
        value: secret,
        path: "/",
        httpOnly: true,
        sameSite: "Strict",
      });
      return answer;
    },
  };
}
