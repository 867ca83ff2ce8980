import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PullError } from "./pull-error.ts";

/** Where a model is put together before it is there at once and whole. */
export interface Staging {
  /** What an interrupted pull left is still in it. */
  readonly directory: string;
  /** Puts the directory in the place of the model, whose former files go. */
  install(): Promise<void>;
  /** Forgets what is in it. */
  discard(): Promise<void>;
  /** Lets another process in. */
  release(): Promise<void>;
}

const isRunning = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

async function lock(path: string): Promise<void> {
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      const handle = await open(path, "wx");
      await handle.writeFile(String(process.pid));
      await handle.close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const pid = Number(await readFile(path, "utf8").catch(() => ""));
      if (pid > 0 && pid !== process.pid && isRunning(pid))
        throw new PullError(`this model is being pulled already, by process ${pid}`);
      await rm(path, { force: true }); // of a process that was killed
    }
  }
  throw new PullError(`${path} is in the way`);
}

/**
 * Opens the place where a model's files are collected.
 * @param modelsDirectory holds the models; it is created where it isn't there
 * @param id `name` or `organisation/name`: the model's directory in it
 * @param version another one begins anew
 * @throws PullError when another process is at it.
 */
export async function openStaging(modelsDirectory: string, id: string, version: string): Promise<Staging> {
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
    // A process that was killed between the two renames of `install` left the former files here.
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
    directory,
    async install() {
      await mkdir(dirname(target), { recursive: true });
      if (existsSync(target)) await rename(target, former);
      await rename(directory, target);
      await rm(former, { recursive: true, force: true });
    },
    discard: () => rm(directory, { recursive: true, force: true }),
    release: () => rm(lockPath, { force: true }),
  };
}
