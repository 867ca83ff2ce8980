import { existsSync } from "node:fs";
import { readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isModelDirectory } from "#agent/serving/models/find-model.ts";
import { isModelId } from "#agent/serving/models/pull/parse-model-name.ts";
import { embeddedModels } from "#models/embedded-models.ts";
import { UsageError } from "#platform/errors.ts";

/**
 * Removes a pulled model and returns its directory. An agent that has it loaded finishes its requests and evicts it within seconds.
 * @param inUse ids in the configuration
 * @throws UsageError when it was not pulled, is carried inside the program, or is configured.
 */
export async function removeModel(id: string, pulledDirectory: string, inUse: readonly string[]): Promise<string> {
  const directory = join(pulledDirectory, id);
  if (!isModelId(id) || !existsSync(directory) || !isModelDirectory(directory)) {
    throw new UsageError(
      !Object.hasOwn(embeddedModels, id)
        ? `"${id}" was not pulled: there is no model of this name in ${pulledDirectory}`
        : `${id} is built into the executable and can't be removed`,
    );
  }
  if (!Object.hasOwn(embeddedModels, id) && inUse.includes(id))
    throw new UsageError(`${id} is in use: the configuration names it as serving.model or among serving.pinned`);
  // Renamed first, so that no agent reads half of it.
  const doomed = join(pulledDirectory, `.removed-${id.replaceAll("/", "--")}-${process.pid}`);
  await rename(directory, doomed);
  await rm(doomed, { recursive: true, force: true });
  const parent = dirname(directory);
  if (parent !== pulledDirectory && (await readdir(parent)).length === 0) await rmdir(parent).catch(() => {});
  return directory;
}
