import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { controllerDoorName } from "#controller/local/controller-door.ts";
import { UsageError } from "#platform/errors.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { installedFiles } from "../run/installed-service.ts";

const timeoutMs = 10_000;
/** Size of ten thousand agents. */
const maxAnswerBytes = 256 * 1024 * 1024;

/** State directories in which a controller of this machine may have its socket: the installed one's, and this user's. */
const controllerDirectories = (): readonly string[] => [
  installedFiles("controller").stateDir,
  defaultStateDir("controller", process.env),
];

/** Door of a controller, or why there is none that this user may open. */
export type FoundDoor =
  | { readonly kind: "found"; readonly path: string }
  | { readonly kind: "refused"; readonly path: string }
  | { readonly kind: "none" };

/** Looks for the socket of a controller that runs on this machine. */
export function findControllerDoor(directories = controllerDirectories()): FoundDoor {
  let refused: string | null = null;
  for (const directory of directories) {
    const path = join(directory, controllerDoorName);
    try {
      accessSync(path, constants.R_OK | constants.W_OK);
      return { kind: "found", path };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EACCES") refused ??= path;
    }
  }
  return refused === null ? { kind: "none" } : { kind: "refused", path: refused };
}

/**
 * Asks a controller by its socket; null: nobody listens there, as after a run that was killed.
 * @throws UsageError when it rejects the request as invalid, Error with its own error
 */
export async function askControllerDoor(socket: string, path: string): Promise<unknown> {
  let response: Response;
  try {
    const url = new URL(path, "http://localhost");
    response = await fetchBounded(url, { unix: socket, timeoutMs, maxBytes: maxAnswerBytes });
  } catch (cause) {
    if (
      ["ECONNREFUSED", "ENOENT", "ConnectionRefused", "FailedToOpenSocket"].includes(
        String((cause as { code?: unknown }).code),
      )
    )
      return null;
    throw cause;
  }
  if (response.ok) return await response.json();
  const { error = response.statusText } = (await response.json().catch(() => ({}))) as { readonly error?: unknown };
  const message = `the controller of this machine answers ${response.status}: ${String(error)}`;
  throw response.status === 400 ? new UsageError(message) : new Error(message);
}
