import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { describeError } from "#platform/errors.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import type { Logger } from "#platform/log.ts";
import { Fingerprint, judgeFingerprint, type Likeness } from "./fingerprint.ts";

/** Returns a name that is unique to the id, which may contain "/". */
function fileName(model: string): string {
  const hash = new Bun.CryptoHasher("sha256").update(model).digest("hex").slice(0, 8);
  return `${model.replaceAll(/[^\w.-]/g, "_").slice(0, 100)}-${hash}.json`;
}

/**
 * Keeps the fingerprints that models had when they were first loaded, one file each.
 * @param directory null: nothing is kept beyond this process
 */
export function createFingerprintStore(directory: string | null, log: Logger) {
  /** Fingerprints of this process, also those that could not be written. */
  const known = new Map<string, Fingerprint>();

  const read = async (path: string): Promise<Fingerprint | null> => {
    try {
      const content: unknown = JSON.parse(await readRegularText(path));
      if (Value.Check(Fingerprint, content)) return content;
      log.warn({ path }, "not a model's fingerprint: recording it again");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        log.warn({ path, err: describeError(error) }, "a model's fingerprint can't be read");
    }
    return null;
  };
  const write = async (path: string, fingerprint: Fingerprint) => {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const temporary = `${path}.${process.pid}`;
      await writeFile(temporary, `${JSON.stringify(fingerprint)}\n`, { mode: 0o600 });
      await rename(temporary, path);
    } catch (error) {
      log.warn({ path, err: describeError(error) }, "a model's fingerprint can't be kept beyond this process");
    }
  };

  return {
    /** Compares a model with its fingerprint, which is recorded when it is new. Returns why its vectors may be wrong, or null. Never rejects. */
    async judge(now: Likeness): Promise<string | null> {
      const path = directory === null ? null : join(directory, fileName(now.model));
      const written = path === null ? null : await read(path);
      // A file deleted by hand means that the present files are right.
      const before = written ?? (path === null || !known.has(now.model) ? (known.get(now.model) ?? null) : null);
      const { keep, doubt } = judgeFingerprint(before, now, Date.now());
      known.set(now.model, keep);
      if (path !== null && keep !== written) await write(path, keep);
      return doubt === null || path === null ? doubt : `${doubt}; if this was intended, delete ${path}`;
    },
  };
}
