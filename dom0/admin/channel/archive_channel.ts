// SPDX-License-Identifier: GPL-2.0-or-later
/** Archives of the configuration: what the web admin asks of dom0 about them. It never sees a key. @module */

import type { ArchiveHead, ArchiveLook } from "../../operator/config_archives.ts";

export interface ArchiveChannel {
  archives(): Promise<{ readonly folder: string; readonly archives: readonly ArchiveHead[] }>;
  /** @returns its name @throws {Dom0Error} it is not made */
  makeArchive(withKeys: boolean, by: string): Promise<{ readonly name: string }>;
  /** What taking it in would change. @throws {Dom0Error} it cannot be taken in */
  lookAtArchive(name: string, withKeys: boolean): Promise<ArchiveLook>;
  /**
   * @param mark of what was looked at
   * @returns the archive of what was there before
   * @throws {Dom0Error} nothing is taken in
   */
  takeInArchive(
    name: string,
    withKeys: boolean,
    mark: string,
    by: string,
  ): Promise<{ readonly before: string }>;
  /** @throws {Dom0Error} it is not removed */
  removeArchive(name: string, by: string): Promise<void>;
}
