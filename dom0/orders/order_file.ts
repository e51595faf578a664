// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * An order to the running daemon is a file: the daemon needs no network permission for it, as it
 * would for a socket. In a folder below /run/qvm-remote, which is root's:
 *
 *     <name>.order    what is to be done, written beside and renamed; the daemon removes it first
 *     <name>.answer   what came of it, written beside and renamed; whoever gave the order removes it
 *
 * The name is 32 random hex digits. Whoever removes the order owns it: the daemon does it then, or
 * whoever gave it knows that it will never be done.
 *
 * @module
 */

/** The order is not understood, and nothing of it is done. */
export class OrderError extends Error {
  override readonly name = "OrderError";
}

const ORDER_FILE = /^([0-9a-f]{32})\.order$/;

/** @returns the name of the order, null if the file is something else */
export function orderName(fileName: string): string | null {
  return ORDER_FILE.exec(fileName)?.[1] ?? null;
}

export function newOrderName(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
