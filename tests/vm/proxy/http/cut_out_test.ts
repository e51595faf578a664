// SPDX-License-Identifier: GPL-2.0-or-later
/** Large bodies: pictures are cut out of text and JSON, and are in what is sent on, byte for byte. */

import { assert, assertEquals } from "@std/assert";
import { MARK_CHARS, MIN_RUN_BYTES } from "../../../../vm/proxy/http/cut_out.ts";
import { decodeBody } from "../../../../vm/proxy/http/request_body.ts";
import { smallPieces, type Upload } from "../../../../vm/proxy/http/upload.ts";
import { bodyOf } from "../body_of.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function base64(length: number, seed: number): string {
  let state = seed;
  return Array.from({ length }, () => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return LETTERS[(state >> 16) & 63];
  }).join("");
}

async function sent(upload: Upload): Promise<string> {
  return await new Response(upload).text();
}

/** Only of a large body anything is cut out. */
const LARGE = "a b ".repeat(300_000);

const picture = (data: string) => ({ url: `data:image/png;base64,${data}` });

Deno.test("a picture is not in the JSON, and is in what is sent, wherever it was moved to", async () => {
  const [first, second] = [base64(3 * MIN_RUN_BYTES, 1), base64(2 * MIN_RUN_BYTES + 3, 2)];
  const body = bodyOf(
    JSON.stringify({ text: 'ä€😀 " \\', list: [picture(first), { data: second }], LARGE }),
  );
  assertEquals(body.cutOuts, 2);
  const length = body.untrustedText.length - LARGE.length;
  assert(length < 1000, `${length} characters`);
  const { text, list } = body.untrustedBody as {
    text: string;
    list: [{ url: string }, { data: string }];
  };
  assertEquals(list[1].data.length % 4, second.length % 4);
  assert(list[0].url.startsWith(`data:image/png;base64,${first.slice(0, 16)}`));
  const nested = JSON.stringify({ text, again: list[0].url });
  const written = JSON.stringify({ moved: [list[1].data, nested, list[0].url] });
  const whole = JSON.stringify({
    moved: [second, JSON.stringify({ text, again: picture(first).url }), picture(first).url],
  });
  assertEquals(await sent(body.upload(written)) === whole, true);
  assertEquals(body.whole(list[1].data) === second, true);
  assertEquals(await sent(body.upload("{}")), "{}");
});

Deno.test("runs of every length around the limit, at every place, come out as they went in", async () => {
  for (const more of [-1, 0, 1, 2, 3, 130, MIN_RUN_BYTES / 2]) {
    for (const before of [0, 1, MIN_RUN_BYTES / 2 - 20, MIN_RUN_BYTES - 9]) {
      const json = {
        a: " .".repeat(before / 2),
        b: base64(MIN_RUN_BYTES + more, more + 9),
        c: LARGE,
      };
      const body = bodyOf(JSON.stringify(json));
      assertEquals(body.cutOuts, more < 0 ? 0 : 1, `${before} before, ${more} more`);
      assertEquals(await sent(body.upload(body.untrustedText)) === JSON.stringify(json), true);
    }
  }
});

Deno.test("what only looks like a mark is sent as it is; a body that is over is not asked", async () => {
  const body = bodyOf(JSON.stringify({ data: base64(3 * MIN_RUN_BYTES, 3), LARGE }));
  const mark = String(body.untrustedBody["data"]).slice(64, 64 + MARK_CHARS);
  const cut = mark.slice(0, -1);
  const other = cut.slice(0, -3) + "7777";
  assertEquals(await sent(body.upload(`"${cut}" "${other}"`)), `"${cut}" "${other}"`);
  body.drop();
  let thrown = "";
  try {
    void body.untrustedBytes;
  } catch (error) {
    thrown = String(error);
  }
  assert(thrown.includes("after its end"), thrown);
});

Deno.test("a prompt is as long as what was cut out of it: a picture is one, a document has pages", () => {
  const size = 4_000_000;
  const tokens = (part: unknown): number =>
    bodyOf(JSON.stringify({ messages: [{ role: "user", content: [part] }] })).promptTokens();
  const image = tokens({ type: "image_url", image_url: picture(base64(size, 4)) });
  assert(image > 1300 && image < 1400, `${image} tokens`);
  const source = { media_type: "application/pdf", data: `JVBERi0x${base64(size, 5)}` };
  const document = tokens({ type: "document", source });
  assert(document > size / 1024 * 24 && document < size / 1024 * 26, `${document} tokens`);
});

Deno.test("a text goes out in pieces without cutting a character", () => {
  const text = "a😀€b😀".repeat(50);
  for (const size of [1, 2, 3, 7, 1000]) {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    assertEquals(
      [...smallPieces([text], size)].map((piece) => decoder.decode(piece)).join(""),
      text,
    );
  }
});

Deno.test("a large text needs room for its text and its JSON, too", () => {
  const text = new TextEncoder().encode(JSON.stringify({ text: "no run ".repeat(300_000) }));
  const asked: number[] = [];
  const answer = decodeBody(text, (bytes) => asked.push(bytes) === 0);
  assertEquals([answer, asked], ["no room", [3 * text.length]]);
});
