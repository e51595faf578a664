// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Without -i a command gets nothing on stdin. Where something waits there all the same, that is said,
 * once; it is never read: it may be meant for whoever runs after this.
 *
 * Deno can neither look into a pipe without reading it nor ask what stdin is, so the launcher says
 * whether stdin is a pipe, a socket or a file that its caller does not share (QVM_REMOTE_STDIN), and a
 * child asks how much is in it: Python, which every VM of Qubes has, or else Perl. It runs beside the
 * wait for the answer, and goes on looking until something comes, stdin ends, or the answer is there.
 *
 * @module
 */

import { writeAll } from "../../../shared/cli/program.ts";
import { createBell } from "../client/bell.ts";
import { PROGRAM } from "./cli_table.ts";

/** How long an answer waits, at its end, for a child that has not begun to look. */
const PATIENCE_MS = 1_000;

/** Print how many bytes wait, at once and again when some have come; end when the process that is
 * named has ended. 0x541B is FIONREAD. */
const PYTHON = `
import fcntl, os, select, stat, struct, sys
client = int(sys.argv[1])
def waiting():
    info = os.fstat(0)
    if stat.S_ISREG(info.st_mode):
        return info.st_size - os.lseek(0, 0, os.SEEK_CUR)
    return struct.unpack("i", fcntl.ioctl(0, 0x541B, bytes(4)))[0]
poll = select.poll()
poll.register(0, select.POLLIN)
n = waiting()
print(n, flush=True)
while n == 0:
    ready = poll.poll(1000)
    n = waiting()
    if n:
        print(n)
    elif ready or os.getppid() != client:
        break
`;
const PERL = `
$| = 1;
my $client = $ARGV[0];
sub waiting {
    return (-s _) - sysseek(STDIN, 0, 1) if -f STDIN;
    my $n = pack "i", 0;
    ioctl(STDIN, 0x541B, $n) or exit;
    return unpack "i", $n;
}
my $n = waiting();
print "$n\\n";
while ($n == 0) {
    vec(my $in = "", 0, 1) = 1;
    my $ready = select($in, undef, undef, 1);
    $n = waiting();
    if ($n) { print "$n\\n" } elsif ($ready || getppid != $client) { exit }
}
`;

/** The first that is there is taken. These two, and no other, are in the client's permissions. */
export const LOOKERS: readonly (readonly [program: string, args: readonly string[]])[] = [
  ["/usr/bin/python3", ["-I", "-S", "-c", PYTHON]],
  ["/usr/bin/perl", ["-e", PERL]],
];

/** Until it is disposed of, it looks. */
export function watchUnreadStdin(): AsyncDisposable {
  const child = Deno.env.get("QVM_REMOTE_STDIN") === "own" ? startLooker() : null;
  if (child === null) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  const begun = createBell();
  const looking = warnOnce(child.stdout, begun.ring).catch(() => {}).finally(begun.ring);
  return {
    async [Symbol.asyncDispose]() {
      await begun.wait(PATIENCE_MS);
      try {
        child.kill("SIGKILL");
      } catch { /* it has ended */ }
      await looking;
    },
  };
}

/** null: nobody can look, so nothing is said. */
function startLooker(): Deno.ChildProcess & { readonly stdout: ReadableStream<Uint8Array> } | null {
  for (const [program, args] of LOOKERS) {
    try {
      return new Deno.Command(program, {
        args: [...args, `${Deno.pid}`],
        stdin: "inherit",
        stdout: "piped",
        stderr: "null",
        clearEnv: true,
      }).spawn();
    } catch { /* the next one */ }
  }
  return null;
}

/** @param onBegun called when the child has looked for the first time */
async function warnOnce(counts: ReadableStream<Uint8Array>, onBegun: () => void): Promise<void> {
  for await (const chunk of counts) {
    const bytes = parseInt(new TextDecoder().decode(chunk));
    if (bytes > 0) writeAll(Deno.stderr, warning(bytes));
    onBegun();
  }
}

function warning(bytes: number): string {
  const [waiting, it] = bytes === 1 ? ["1 byte waits", "it"] : [`${bytes} bytes wait`, "them"];
  return `${PROGRAM}: warning: ${waiting} on stdin, and the command does not get ${it}: ` +
    `-i gives ${it} to it, </dev/null says that is meant\n`;
}
