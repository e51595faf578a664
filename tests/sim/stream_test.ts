// SPDX-License-Identifier: GPL-2.0-or-later
/** What flows, what ends, and what stops what: qrexec.md 4.2 and 4.3. */
import { assert, assertEquals } from "@std/assert";
import { readTextIfAny } from "./files.ts";
import { call, eventually, killChild, rpc, spawnClient } from "./test_tools.ts";
import { createWorld, type World } from "./world.ts";

const MEBIBYTE = 1024 * 1024;
/** More than all buffers on the way together can hold, less than "unbounded". */
const MAX_BUFFERED_BYTES = 1.5 * MEBIBYTE;
/** A write that takes this long will not get through. */
const STALL_MS = 400;
const CHUNK = new Uint8Array(64 * 1024);

/** Writes until nothing moves any more, or the limit is reached. @returns the bytes written. */
async function fill(child: Deno.ChildProcess, limitBytes: number): Promise<number> {
  const writer = child.stdin.getWriter();
  const stalled = Promise.withResolvers<"stalled">();
  let written = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  while (written < limitBytes) {
    timer = setTimeout(() => stalled.resolve("stalled"), STALL_MS);
    const done = writer.write(CHUNK);
    if (await Promise.race([done, stalled.promise]) === "stalled") break;
    clearTimeout(timer);
    written += CHUNK.length;
  }
  writer.releaseLock();
  return written;
}

function counterIn(world: World): number {
  try {
    return Number(Deno.readTextFileSync(`${world.vmHome("work")}/count`));
  } catch {
    return 0;
  }
}

/** Waits until the process whose pid is in that file has written, and writes no more. */
async function stuck(world: World, name: string): Promise<void> {
  let last = 0;
  await eventually(
    `${name} cannot write on`,
    () => {
      const pid = readTextIfAny(`${world.vmHome("work")}/${name}`)?.trim();
      const written = /wchar: (\d+)/.exec(readTextIfAny(`/proc/${pid}/io`) ?? "")?.[1];
      const isStuck = Number(written) > 0 && Number(written) === last;
      last = Number(written);
      return isStuck;
    },
    undefined,
    200,
  );
}

Deno.test("data is binary-clean and whole, both ways", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  world.installService("work", "test.Echo", "#!/bin/sh\nexec cat\n");
  const data = new Uint8Array(MEBIBYTE).map((_, i) => (i * 7 + (i >> 8)) & 0xff);
  const child = spawnClient(world, "work", rpc("test.Echo"));
  const writer = child.stdin.getWriter();
  const written = writer.write(data).then(() => writer.close());
  const { code, stdout } = await child.output();
  await written;
  assertEquals(code, 0);
  assertEquals(stdout.length, data.length);
  assert(stdout.every((byte, i) => byte === data[i]), "bytes differ");
});

Deno.test("the end of stdin reaches the remote, which may go on writing", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  world.installService("work", "test.Count", "#!/bin/sh\nn=$(wc -c); sleep 0.1; echo $n\n");
  assertEquals((await call(world, "work", rpc("test.Count"), "12345")).stdout, "5\n");
});

Deno.test("the remote closes its stdout only: the client's stdout ends, its exit waits", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  world.installService("work", "test.Close", "#!/bin/sh\necho x; exec >&-; sleep 0.5; exit 6\n");
  const child = spawnClient(world, "work", rpc("test.Close"));
  let isRunning = true;
  const status = child.status.finally(() => isRunning = false);
  assertEquals(await new Response(child.stdout).text(), "x\n");
  assert(isRunning, "the client did not wait for the exit code");
  assertEquals((await status).code, 6);
  await killChild(child);
});

Deno.test("the client ends with the remote though its stdin is open", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const child = spawnClient(world, "work", "user:echo bye; exit 3");
  const { code } = await child.status; // nothing was written, nothing was closed
  assertEquals(code, 3);
  await killChild(child);
});

Deno.test("the call ends when stdout and stderr are closed, not when the command exits", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const before = performance.now();
  assertEquals((await call(world, "work", "user:sleep 0.7 & exit 5")).code, 5);
  assert(performance.now() - before > 650, "the call did not wait for the background process");
  await call(world, "work", "user:sleep 4242 </dev/null >/dev/null 2>&1 & echo $! >$HOME/pid");
  const pid = Deno.readTextFileSync(`${world.vmHome("work")}/pid`).trim();
  assertEquals(Deno.readTextFileSync(`/proc/${pid}/comm`), "sleep\n", "it was not waited for");
});

Deno.test("the remote closes its stdin: the client goes on reading and discards", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const child = spawnClient(world, "work", "user:exec <&-; sleep 60");
  assertEquals(await fill(child, 13 * MEBIBYTE), 13 * MEBIBYTE);
  await killChild(child);
});

Deno.test("a remote that does not read stalls the client's stdin", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const child = spawnClient(world, "work", "user:sleep 60");
  const written = await fill(child, 64 * MEBIBYTE);
  assert(written < MAX_BUFFERED_BYTES, `${written} bytes were taken`);
  await killChild(child);
});

Deno.test("a client whose stdout is not read stalls the remote, and goes on when it is", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const command = "user:i=0; while head -c 65536 /dev/zero; do i=$((i+1)); echo $i >$HOME/count; " +
    "[ $i -lt 100 ] || break; done";
  const child = spawnClient(world, "work", command);
  let last = -1;
  await eventually(
    "the remote stalls",
    () => {
      const now = counterIn(world);
      const isStill = now === last && now > 0;
      last = now;
      return isStill;
    },
    undefined,
    200,
  );
  assert(last * CHUNK.length < MAX_BUFFERED_BYTES, `${last} chunks were taken`);
  const text = await new Response(child.stdout).arrayBuffer();
  assertEquals(text.byteLength, 100 * CHUNK.length);
  await killChild(child);
});

Deno.test("an unread stderr stops stdout", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const command = "user:head -c 3000000 /dev/zero >&2 & echo $! >$HOME/err; read go; " +
    "head -c 5000000 /dev/zero & echo $! >$HOME/out; wait";
  const child = spawnClient(world, "work", command);
  let got = 0;
  const reading = (async () => {
    for await (const bytes of child.stdout) got += bytes.length;
  })();
  await stuck(world, "err");
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("go\n"));
  await stuck(world, "out");
  assertEquals(got, 0);
  for await (const _ of child.stderr);
  await reading;
  assertEquals(got, 5_000_000);
  await killChild(child);
});

Deno.test("the reader of the client's stdout goes away: the client reads on and discards", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const child = spawnClient(
    world,
    "work",
    "user:trap '' PIPE; for i in $(seq 200); do head -c 65536 /dev/zero; done; echo done >$HOME/count; sleep 60",
  );
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  await eventually("the remote wrote everything", () => Number.isNaN(counterIn(world)));
  await killChild(child);
});
