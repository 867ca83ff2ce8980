import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "#platform/errors.ts";

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // it is there, and somebody else's
  }
}

/**
 * Keeps a second training out of a model's directory: their checkpoints and models would overwrite each other's. One that was killed keeps
 * nobody out.
 * @returns what gives the directory free.
 * @throws UsageError naming the process that trains into it.
 */
export async function lockForTraining(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, "training.lock");
  const take = () => writeFile(path, `${process.pid}\n`, { flag: "wx" });
  try {
    await take();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const holder = Number(await readFile(path, "utf8").catch(() => ""));
    if (Number.isInteger(holder) && holder > 0 && holder !== process.pid && runs(holder)) {
      throw new UsageError(
        `process ${holder} trains into ${directory}: give --out another directory or wait for it (if it is something else, delete ${path})`,
      );
    }
    await rm(path, { force: true });
    await take();
  }
  return () => rm(path, { force: true });
}
