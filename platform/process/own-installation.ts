import { realpathSync } from "node:fs";

/** Directory of the versions where an installer puts them unless it is told otherwise. */
export const standardPrefix = "/usr/local/lib/thormesh";

/** Directory of the versions that an executable is one of; null: it is none of a directory of versions. */
export const versionsAround = (executable: string): string | null =>
  /^(\/.+)\/versions\/[^/]+\/thormesh$/.exec(executable)?.[1] ?? null;

/** Path of the running program's file, links followed. */
export const ownExecutable = (): string => realpathSync(process.execPath);

/** Directory of the versions of this installation, as in /opt where /usr/local can't be written to. */
export const ownPrefix = (): string => versionsAround(ownExecutable()) ?? standardPrefix;
