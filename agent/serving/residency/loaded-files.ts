import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Likeness } from "#agent/serving/models/files/fingerprint.ts";
import type { FileHashes } from "#agent/serving/models/files/hash-model-files.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { type TextTokenizer, tokensToTry } from "#agent/serving/text/text-tokenizer.ts";
import type { ModelProcess } from "#agent/serving/worker/model-process.ts";
import type { Logger } from "#platform/log.ts";

/** Any text will do as long as it stays the same. */
const fingerprintText =
  "The gripper lost the part at station 12; torque was 3.4 Nm, after 5,018 cycles without a fault.";

/** States of files by path: a file that is written to, replaced or removed gets another one. Contents are not read. */
type FileStates = ReadonlyMap<string, string>;

async function readFileStates(paths: Iterable<string>): Promise<FileStates> {
  const states = [...paths].map(async (path) => {
    try {
      const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
      return [path, `${size} ${mtimeNs} ${ctimeNs} ${ino}`] as const;
    } catch {
      return [path, "missing"] as const;
    }
  });
  return new Map(await Promise.all(states));
}

/** Returns the first file whose state has changed; null when there is none. */
function changedFile(before: FileStates, now: FileStates): string | null {
  for (const [path, state] of before) if (now.get(path) !== state) return path;
  return null;
}

/** Files of a model as its processes loaded them, and doubts about them. */
export class LoadedFiles {
  readonly #found: FoundModel;
  readonly #judge: ((now: Likeness) => Promise<string | null>) | undefined;
  readonly #log: Logger;
  readonly #paths: Set<string>;
  /** States when the files were hashed; null before. */
  #states: FileStates | null = null;
  #suffix = "";
  #hashes: FileHashes = {};
  #doubt: string | null = null;
  #judged = false;

  /** @param judge compares the model with its fingerprint at the first load; returns why its vectors may be wrong, or null */
  constructor(found: FoundModel, judge: ((now: Likeness) => Promise<string | null>) | undefined, log: Logger) {
    this.#found = found;
    this.#judge = judge;
    this.#log = log;
    this.#paths = new Set(found.files.map(({ path }) => path));
  }

  /** Reason why the model's vectors may be wrong; null: none known. */
  get doubt(): string | null {
    return this.#doubt;
  }

  /** Suffix that changes when a file is written to; empty for files inside the executable. */
  get suffix(): string {
    return this.#suffix;
  }

  /** Hashes of the files when they were hashed. */
  get hashes(): FileHashes {
    return this.#hashes;
  }

  read(): Promise<FileStates> {
    return readFileStates(this.#paths);
  }

  /** Returns true when the files are as they were when they were hashed. */
  isKnown(states: FileStates): boolean {
    return this.#states !== null && changedFile(this.#states, states) === null;
  }

  /** Returns the file that has been written to, replaced or removed since it was hashed; null: none. */
  async changed(): Promise<string | null> {
    return this.#states === null ? null : changedFile(this.#states, await this.read());
  }

  /**
   * Keeps the hashes that a process made before it loaded the model.
   * @param before states before the process was started
   * @throws Error naming a file that was written to meanwhile, after stopping the process.
   */
  async note(started: ModelProcess, before: FileStates): Promise<void> {
    const pathsByName = new Map(this.#found.files.map(({ name, path }) => [name, path]));
    for (const name of Object.keys(started.hashes))
      this.#paths.add(pathsByName.get(name) ?? join(this.#found.origin, name));
    const now = await this.read();
    const changed = changedFile(before, now);
    if (changed !== null) {
      await started.stop();
      throw new Error(`${changed} was written to while the model was being loaded`);
    }
    this.#states = now;
    this.#suffix = now.size === 0 ? "" : `~${Bun.hash([...now.values()].join("\n")).toString(36)}`;
    this.#hashes = started.hashes;
    this.#judged = false;
  }

  /** Compares the model with its fingerprint, once for each state of the files. Never rejects. */
  async judge(started: ModelProcess, tokenizer: TextTokenizer): Promise<void> {
    if (this.#judged || this.#judge === undefined) return;
    this.#judged = true;
    const { manifest, modelPath, files } = this.#found;
    try {
      const ids = tokensToTry(tokenizer, fingerprintText);
      const [vector] = (await started.run([ids], ids.length)).vectors;
      if (vector === undefined) return;
      this.#doubt = await this.#judge({
        model: manifest.id,
        revision: manifest.revision,
        files: this.#hashes,
        vouched: new Set(files.flatMap(({ name, sha256 }) => (sha256 === null ? [] : [name]))),
        vectorKey: `${basename(modelPath)}/${started.engine.provider}`,
        vector,
      });
      if (this.#doubt !== null)
        this.#log.error({ model: manifest.id, doubt: this.#doubt }, "the model's vectors may be wrong");
    } catch (error) {
      this.#judged = false;
      this.#log.debug({ model: manifest.id, err: error }, "the model could not be compared with its fingerprint");
    }
  }
}
