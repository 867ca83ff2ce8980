import { existsSync } from "node:fs";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { isProcessAlive } from "#platform/process/is-process-alive.ts";
import { PullError } from "./pull-error.ts";

/** Directory in which a model's files are collected before it is installed in one step. */
export type Staging = Awaited<ReturnType<typeof openStaging>>;

/** Returns the process id with its start time, because ids are reused. */
async function stampOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name in parentheses may hold anything; the start is the 22nd field, the 20th after it.
  const startedTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return startedTicks === undefined ? String(pid) : `${pid} ${startedTicks}`;
}

async function isHeldBy(stamp: string): Promise<boolean> {
  const pid = Number(stamp.split(" ")[0]);
  if (!Number.isInteger(pid) || pid <= 0 || !isProcessAlive(pid)) return false;
  return !stamp.includes(" ") || (await stampOf(pid)) === stamp;
}

/** Takes the lock. It is linked with its owner's stamp in one step, so no process reads half of it. */
async function lock(path: string): Promise<void> {
  const own = `${path}-${process.pid}-${crypto.randomUUID()}`;
  await writeFile(own, await stampOf(process.pid));
  try {
    for (let tries = 0; tries < 5; tries += 1) {
      try {
        await link(own, path);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const stamp = await readRegularText(path).catch(() => null);
      if (stamp === null) continue; // released just now
      if (await isHeldBy(stamp))
        throw new PullError(`this model is already being pulled by process ${stamp.split(" ")[0]}`);
      // The lock of a killed process is moved before it is removed: of two processes only one moves it, and one that has moved a new lock puts it back.
      const aside = `${own}-aside`;
      const moved = await rename(path, aside).then(
        () => true,
        () => false,
      );
      if (!moved) continue;
      if ((await readRegularText(aside)) !== stamp) await link(aside, path).catch(() => {});
      await rm(aside, { force: true });
    }
    throw new PullError(`${path} is in the way`);
  } finally {
    await rm(own, { force: true });
  }
}

/**
 * Opens the directory in which a model's files are collected.
 * @param modelsDirectory holds the models; created when it doesn't exist
 * @param id `name` or `organisation/name`: the model's directory in it
 * @param version another one starts an empty directory
 * @throws PullError when another process is pulling the model.
 */
export async function openStaging(modelsDirectory: string, id: string, version: string) {
  const flat = id.replaceAll("/", "--");
  const hidden = (what: string) => join(modelsDirectory, `.${what}-${flat}`);
  const key = new Bun.CryptoHasher("sha256").update(version).digest("hex").slice(0, 8);
  const directory = `${hidden("pulling")}-${key}`;
  const former = hidden("former");
  const lockPath = hidden("lock");
  const target = join(modelsDirectory, id);
  await mkdir(modelsDirectory, { recursive: true });
  await lock(lockPath);
  try {
    // A process killed between the two renames of `install` left the former files here.
    if (existsSync(former)) {
      if (existsSync(target)) await rm(former, { recursive: true, force: true });
      else await rename(former, target);
    }
    await mkdir(directory, { recursive: true });
  } catch (error) {
    await rm(lockPath, { force: true });
    throw error;
  }
  return {
    /** Still contains the files of an interrupted pull. */
    directory,
    async install(): Promise<void> {
      await mkdir(dirname(target), { recursive: true });
      if (existsSync(target)) await rename(target, former);
      await rename(directory, target);
      await rm(former, { recursive: true, force: true });
    },
    discard: () => rm(directory, { recursive: true, force: true }),
    release: () => rm(lockPath, { force: true }),
  };
}
