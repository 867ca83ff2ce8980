import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "#platform/errors.ts";
import { isProcessAlive } from "#platform/process/is-process-alive.ts";

/**
 * Locks a model's directory for one training: two would overwrite each other's checkpoints and models. The lock of a killed training is
 * ignored.
 * @returns a function that releases the lock.
 * @throws UsageError that names the process that holds the lock.
 */
export async function lockForTraining(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, "training.lock");
  const take = () => writeFile(path, `${process.pid}\n`, { flag: "wx" });
  try {
    await take();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const holder = Number(await readFile(path, "utf8").catch(() => ""));
    if (Number.isInteger(holder) && holder > 0 && holder !== process.pid && isProcessAlive(holder)) {
      throw new UsageError(
        `process ${holder} is training into ${directory}: wait for it, or give --out another directory (if that process is not a training, delete ${path})`,
      );
    }
    await rm(path, { force: true });
    await take();
  }
  return () => rm(path, { force: true });
}
