import { join } from "node:path";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";

/**
 * Returns the directory in which `thormesh models pull` puts models and an agent finds them, within the agent's state.
 * @param stateDir as configured; null = the default
 */
export function pulledModelsDirectory(stateDir: string | null): string {
  return join(stateDir ?? defaultStateDir("agent", process.env), "models");
}
