import { existsSync } from "node:fs";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readRegularText } from "#platform/files/read-regular-file.ts";
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

/** Its number and when it was started: a number alone is given to another process one day. */
async function stampOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name in parentheses may hold anything; the start is the 22nd field, the 20th after it.
  const startedTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return startedTicks === undefined ? String(pid) : `${pid} ${startedTicks}`;
}

async function isHeldBy(stamp: string): Promise<boolean> {
  const pid = Number(stamp.split(" ")[0]);
  if (!Number.isInteger(pid) || pid <= 0 || !isRunning(pid)) return false;
  return !stamp.includes(" ") || (await stampOf(pid)) === stamp;
}

/** Takes the lock, whole with its owner's stamp in one step: nobody ever reads half of it. */
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
        throw new PullError(`this model is being pulled already, by process ${stamp.split(" ")[0]}`);
      // Of a process that was killed. Moved before it is removed: of two that find it only one moves it, and who moves another's puts it back.
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
