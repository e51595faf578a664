// SPDX-License-Identifier: GPL-2.0-or-later
/** Stands for a service of the agent VM: answers one path on one port. PORT PATH TEXT. @module */

const [port, path, text] = Deno.args;
Deno.serve(
  { hostname: "127.0.0.1", port: Number(port), onListen() {} },
  (request) => new Response(text, { status: new URL(request.url).pathname === path ? 200 : 404 }),
);
