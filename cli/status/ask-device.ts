import { statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { doorName, type LocalView } from "#agent/local/local-door.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { secondMs } from "#platform/time.ts";
import { installedFiles } from "../run/installed-service.ts";

const timeoutMs = 10 * secondMs;
const maxAnswerBytes = 4 * 1024 * 1024;

/** Reads all that a Unix socket says. Rejects with the system's error when nobody listens there. */
function readSocket(path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const parts: Buffer[] = [];
  let bytes = 0;
  const socket = connect(path);
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs / secondMs} s`)));
  socket.on("data", (part: Buffer) => {
    parts.push(part);
    bytes += part.length;
    if (bytes > maxAnswerBytes) socket.destroy(new Error(`expected at most ${maxAnswerBytes} bytes`));
  });
  socket.on("error", reject);
  socket.on("end", () => resolve(Buffer.concat(parts).toString("utf8")));
  return promise;
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

/** State directories in which an agent of this machine may have its socket: the installed one's, and this user's. */
const agentDirectories = (): readonly string[] => [
  installedFiles("agent").stateDir,
  defaultStateDir("agent", process.env),
];

/**
 * Asks the agent that runs on this machine; null: none does.
 * @throws Error when it answers its own user and root alone
 */
export async function askDevice(directories = agentDirectories()): Promise<LocalView | null> {
  let refused: string | null = null;
  for (const directory of directories) {
    const path = join(directory, doorName);
    try {
      return JSON.parse(await readSocket(path)) as LocalView;
    } catch (error) {
      if (codeOf(error) === "EACCES") refused ??= path;
      else if (!["ENOENT", "ECONNREFUSED", "ENOTDIR"].includes(codeOf(error) ?? "")) throw error;
    }
  }
  if (refused === null) return null;
  throw new Error(
    `${refused}: this machine's agent answers only its own user and root: sudo thormesh status (the fleet: --url URL)`,
  );
}

/** True where a controller is installed: there `thormesh status` shows the fleet. */
export const hasController = (): boolean =>
  statSync(installedFiles("controller").stateDir, { throwIfNoEntry: false }) !== undefined;
