// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The least that a proxy in Deno can do: it reads a request, sends the same bytes to the upstream,
 * and answers with what comes. What openclaw-proxy takes beyond it is its own. The upstream's port
 * is its argument; prints its port as JSON; ends when its stdin ends.
 *
 * @module
 */

async function passOn(request: Request, upstream: string): Promise<Response> {
  const { pathname } = new URL(request.url);
  const { status, body, headers } = await fetch(upstream + pathname, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: await request.bytes(),
  });
  const contentType = headers.get("content-type") ?? "";
  // Deno would pack a stream, and gather chunks to do so.
  const sent = { "content-type": contentType, "cache-control": "no-transform" };
  return new Response(body, { status, headers: sent });
}

if (import.meta.main) {
  const upstream = `http://127.0.0.1:${Number(Deno.args[0])}`;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => passOn(request, upstream),
  );
  console.log(JSON.stringify({ port: server.addr.port, pid: Deno.pid }));
  await Deno.stdin.readable.pipeTo(new WritableStream());
  Deno.exit(0);
}
