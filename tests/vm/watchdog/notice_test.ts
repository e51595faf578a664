// SPDX-License-Identifier: GPL-2.0-or-later
/** What dom0 is told, and what is said where it cannot be. @module */

import { assertEquals } from "@std/assert";
import { UserError } from "../../../shared/cli/program.ts";
import { NOT_YET_SEEN } from "../../../vm/watchdog/machine.ts";
import { noticeOf, tellDom0 } from "../../../vm/watchdog/notice.ts";

const GIVEN_UP = { ...NOT_YET_SEEN, givenUp: true };

Deno.test("giving up and being well again are told, once each", () => {
  assertEquals(noticeOf(NOT_YET_SEEN, GIVEN_UP), "given-up");
  assertEquals(noticeOf(GIVEN_UP, NOT_YET_SEEN), "well");
  assertEquals([noticeOf(GIVEN_UP, GIVEN_UP), noticeOf(NOT_YET_SEEN, NOT_YET_SEEN)], [null, null]);
});

Deno.test("the call is one word; its failure is a reason", async () => {
  const argvs: (readonly string[])[] = [];
  const ends = (code: number) => (argv: readonly string[]) => {
    argvs.push(argv);
    return Promise.resolve({ code, untrustedOut: "", untrustedErr: "" });
  };
  assertEquals(await tellDom0("gateway", "given-up", ends(0)), null);
  assertEquals(argvs, [["qrexec-client-vm", "dom0", "openclaw.Notice+gateway.given-up"]]);
  assertEquals(await tellDom0("proxy", "well", ends(126)), "its policy refuses it");
  assertEquals(await tellDom0("proxy", "well", ends(1)), "the call ended with code 1");
  const absent = () => Promise.reject(new UserError("there is no qrexec-client-vm"));
  assertEquals(await tellDom0("proxy", "well", absent), "there is no qrexec-client-vm");
});
