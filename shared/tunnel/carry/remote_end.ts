// SPDX-License-Identifier: GPL-2.0-or-later
/** The far end of one connection, whatever carries it. @module */

export interface RemoteEnd {
  /**
   * The next bytes; null at the end of what the far side sends. Asking again means that the
   * previous bytes are no longer needed. One reader at a time.
   *
   * @throws {TunnelFailure} the connection broke
   */
  read(): Promise<Uint8Array | null>;
  /** Resolves when there is room for more; the bytes may then be used again. */
  write(bytes: Uint8Array): Promise<void>;
  /** Half-close: nothing more comes from this side. */
  closeWrite(): void;
  /** Breaks the connection, at once and in both directions. */
  abort(): void;
  /** Resolves when the far side takes nothing more, though what it sent may still be read. */
  readonly gone: Promise<void>;
}
