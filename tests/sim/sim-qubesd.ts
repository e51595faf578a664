// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What starts VMs for the programs of dom0, as qubesd does: a VM is then no child of the program that
 * asked, and stays when that ends. A world without it starts them in the program itself. Argument: the
 * world. Over a socket it takes one name and answers "" or what went wrong.
 *
 * @module
 */
import { worldPaths } from "./layout.ts";
import { startVmHere } from "./vm_life.ts";

const NAME_BYTES = 256;

async function serve(folder: string, connection: Deno.UnixConn): Promise<void> {
  using _ = connection;
  const bytes = new Uint8Array(NAME_BYTES);
  const length = await connection.read(bytes) ?? 0;
  const answer = await startVmHere(folder, new TextDecoder().decode(bytes.subarray(0, length)))
    .then(() => "", (error) => String(error.message));
  await connection.write(new TextEncoder().encode(answer));
}

async function main([folder = ""]: readonly string[]): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path: worldPaths(folder).qubesd });
  for await (const connection of listener) {
    void serve(folder, connection).catch(() => {}); // who asked is gone
  }
}

if (import.meta.main) await main(Deno.args);
