import { existsSync } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { OnnxChoice } from "#agent/serving/models/decide-onnx-file.ts";
import { readInstalledManifest } from "#agent/serving/models/find-model.ts";
import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { decidePullFiles } from "./decide-pull-files.ts";
import { type DownloadedFile, downloadFile, evidenceOf, sizeOf } from "./download-file.ts";
import { explainPullFiles } from "./explain-pull-files.ts";
import { hashFile } from "./hash-file.ts";
import { filePath, type HubFile, type HubListing, listRepository } from "./hub-listing.ts";
import { askHub, type HubAccess } from "./hub-request.ts";
import { installPulled } from "./install-pulled.ts";
import type { WantedModel } from "./parse-model-name.ts";
import { PullError } from "./pull-error.ts";
import { openStaging, type Staging } from "./staging.ts";

export interface PulledFile extends Omit<DownloadedFile, "commit"> {
  readonly path: string;
}

export interface PulledModel {
  readonly id: string;
  readonly directory: string;
  readonly repo: string;
  readonly revision: string;
  readonly commit: string | null;
  /** True when it was installed already and nothing was done. */
  readonly unchanged: boolean;
  readonly files: readonly PulledFile[];
}

export interface PullEvents {
  onPlan(files: readonly string[], totalBytes: number | null): void;
  onProgress(path: string, bytes: number): void;
  onFile(file: PulledFile): void;
  onCheck(): void;
}

export interface PullRequest {
  readonly access: HubAccess;
  readonly modelsDirectory: string;
  readonly choice: OnnxChoice;
  /** Maximum size of the model, all files together. */
  readonly maxBytes: number;
  /** Pulls the model even when it is installed already. */
  readonly force: boolean;
  readonly events: PullEvents;
  readonly signal: AbortSignal;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Free space that the disk must keep. */
const spareBytes = 16 * 1024 * 1024;
/** A model of many shards has some hundred files. */
const maxFiles = 1000;
/** Maximum size of a file that is read into memory: the largest tokenizers have 40 MB. */
const maxDescribingBytes = 256 * 1024 * 1024;
const maxNameLength = 200;

const freeBytesIn = async (directory: string) => {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
};

const isWeights = (path: string) => !path.endsWith(".json");

/**
 * Refuses a model of too many files or bytes.
 * @throws PullError naming the limit.
 */
export function refuseTooMuch(files: readonly Pick<HubFile, "path" | "bytes">[], maxBytes: number): void {
  if (files.length > maxFiles)
    throw new PullError(`expected a model of at most ${maxFiles} files, got ${files.length}`);
  for (const { path, bytes } of files) {
    if (path.length > maxNameLength || /[^ -~]/.test(path))
      throw new PullError(
        `expected names of files of at most ${maxNameLength} letters, digits and signs, got ${JSON.stringify(path.slice(0, 80))}`,
      );
    if (!isWeights(path) && (bytes ?? 0) > maxDescribingBytes)
      throw new PullError(`${path}: expected at most ${maxDescribingBytes} bytes, the server announces ${bytes}`);
  }
  const total = files.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
  if (total > maxBytes)
    throw new PullError(`expected a model of at most ${maxBytes} bytes (--max-bytes), the server announces ${total}`);
}

/** @throws PullError when the disk can't hold the rest of the model. */
export async function refuseFullDisk(directory: string, neededBytes: number): Promise<void> {
  const freeBytes = await freeBytesIn(directory);
  if (freeBytes >= neededBytes + spareBytes) return;
  const megabytes = (bytes: number) => Math.ceil(bytes / 1e6);
  throw new PullError(
    `${directory} has ${megabytes(freeBytes)} MB free, expected ${megabytes(neededBytes + spareBytes)} MB for the download`,
  );
}

/** Turns an error of the file system into one in plain words; returns other errors unchanged. */
export function explainDisk(error: unknown, directory: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new PullError(`the disk is full: ${directory}; the partial download was removed`, { cause: error });
  if (code === "EEXIST" || code === "ENOTDIR")
    return new PullError(`${directory}: expected a directory for models, got a file (${code})`);
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new PullError(
      `${directory} can't be written to by this user (${code}): expected --dir, or the agent's user`,
      {
        cause: error,
      },
    );
  return error;
}

function plan(listing: HubListing, wanted: WantedModel, choice: OnnxChoice): HubFile[] {
  const byPath = new Map(listing.files.map((file) => [file.path, file]));
  if (listing.guessed) return [...listing.files];
  const decision = decidePullFiles([...byPath.keys()], choice);
  if (decision.kind === "refuse") throw new PullError(`${wanted.repo}: ${explainPullFiles(decision)}`);
  return decision.paths.map((path) => byPath.get(path) as HubFile);
}

/** Returns a repository's address without the password that a mirror's address may contain. */
function publicAddress(baseUrl: string, repo: string): string {
  const url = new URL(`${baseUrl}/${repo}`);
  url.username = "";
  url.password = "";
  url.search = "";
  return url.href;
}

const maxListings = 4;

/** Lists the files of a repository and retries while the hub is busy; a hub that can't be reached is reported at once. */
async function listWithRetries(wanted: WantedModel, { access, signal, sleep }: PullRequest): Promise<HubListing> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await listRepository(access, wanted.repo, wanted.revision, guessedWeights(wanted), signal);
    } catch (error) {
      if (!(error instanceof PullError) || !error.temporary || error.status === null || tries === maxListings)
        throw error;
      await sleep(Math.min(30_000, error.retryAfterMs ?? 500 * 2 ** tries));
      signal.throwIfAborted();
    }
  }
}

/** Weights to try on a plain file server; the first that exists is taken. */
function guessedWeights({ known }: WantedModel): string[] {
  const listed = known?.files.map(({ path }) => path).filter((path) => path.includes(".onnx")) ?? [];
  return listed.length > 0 ? listed : ["onnx/model.onnx", "onnx/model.onnx_data", "model.onnx", "model.onnx_data"];
}

/** True for files that a plain file server need not have. */
const isOptional = (path: string, there: readonly string[]) =>
  path !== "tokenizer.json" && (path !== "model.onnx" || there.includes("onnx/model.onnx"));

/**
 * Pulls a model: lists its files, downloads the missing ones, checks each against the catalogue or the hub's statement, writes its manifest,
 * loads it once and installs it in one step. A model installed under the same name stays until then.
 * @throws PullError; the signal's reason when it aborts (the next pull continues).
 */
export async function pullModel(wanted: WantedModel, request: PullRequest): Promise<PulledModel> {
  const { access, modelsDirectory, choice, events } = request;
  const { id, repo, revision, known } = wanted;
  const target = join(modelsDirectory, id);
  const listing = await listWithRetries(wanted, request);
  const files = plan(listing, wanted, choice);
  refuseTooMuch(files, request.maxBytes);
  const installed = await readInstalledManifest(target);
  const answer = { id, directory: target, repo, revision };
  const isThere = (manifest: ModelManifest) =>
    manifest.source["commit"] === listing.commit &&
    files.every(({ path }) => path === "manifest.json" || path in manifest.files);
  if (!request.force && listing.commit !== null && installed !== null && isThere(installed))
    return { ...answer, commit: listing.commit, unchanged: true, files: [] };

  let staging: Staging | undefined;
  try {
    // All files are of one commit, even when the branch moves on meanwhile.
    const from = listing.commit ?? revision;
    staging = await openStaging(modelsDirectory, id, `${publicAddress(access.baseUrl, repo)} ${repo}@${from}`);
    const { directory } = staging;
    const sizes = files.map(({ bytes }) => bytes);
    const total = sizes.every((bytes) => bytes !== null) ? sizes.reduce((sum, bytes) => sum + bytes, 0) : null;
    await refuseFullDisk(directory, total ?? 0);
    events.onPlan(
      files.map(({ path }) => path),
      total,
    );
    const pulled: PulledFile[] = [];
    let commit = listing.commit;
    for (const file of files) {
      const there = pulled.map(({ path }) => path);
      const catalogSha256 = known?.files.find(({ path }) => path === file.path)?.sha256 ?? null;
      const knownSha256 = revision === known?.source.revision ? catalogSha256 : null;
      if (listing.guessed && file.path.startsWith("model.onnx") && there.includes("onnx/model.onnx")) continue;
      const pulledBytes = pulled.reduce((sum, { bytes }) => sum + bytes, 0);
      const one = await pullFile(
        file,
        knownSha256,
        directory,
        request.maxBytes - pulledBytes,
        (headers, abort) =>
          askHub(access, filePath(repo, from, file.path), `${repo}@${revision}/${file.path}`, {
            signal: abort,
            headers,
            accepted: listing.guessed && isOptional(file.path, there) ? [206, 404, 416] : [206, 416],
          }),
        request,
      );
      if (one === null) continue;
      if (commit !== null && one.commit !== null && one.commit !== commit)
        throw new PullError(`${repo}@${revision} changed while it was being pulled: try again`);
      commit ??= one.commit;
      const { commit: _, ...rest } = one;
      pulled.push({ path: file.path, ...rest });
      events.onFile({ path: file.path, ...rest });
    }
    if (!pulled.some(({ path }) => path.endsWith(".onnx")))
      throw new PullError(`${repo}@${revision}: expected one of ${guessedWeights(wanted).join(", ")}, got none`);
    const source = { repo, revision, ...(commit === null ? {} : { commit }), url: publicAddress(access.baseUrl, repo) };
    await installPulled(staging, pulled, { id, revision: commit, licence: listing.licence, source, known }, request);
    return { ...answer, commit, unchanged: false, files: pulled };
  } catch (error) {
    const explained = explainDisk(error, modelsDirectory);
    // On a full disk the agent's records need the space.
    if (explained !== error && (error as NodeJS.ErrnoException).code !== "EACCES")
      await staging?.discard().catch(() => {});
    throw explained;
  } finally {
    await staging?.release();
  }
}

/** Returns null for an optional file that the server doesn't have. */
async function pullFile(
  file: HubFile,
  knownSha256: string | null,
  directory: string,
  leftBytes: number,
  ask: Parameters<typeof downloadFile>[0]["ask"],
  request: PullRequest,
): Promise<DownloadedFile | null> {
  const target = join(directory, file.path);
  await mkdir(dirname(target), { recursive: true });
  const expected = knownSha256 ?? file.sha256;
  // An interrupted pull may have left the whole file.
  if (existsSync(target) && (expected !== null || file.gitSha1 !== null)) {
    const { bytes, sha256, gitSha1 } = await hashFile(target);
    if (expected === null ? gitSha1 === file.gitSha1 : sha256 === expected) {
      request.events.onProgress(file.path, bytes);
      return { bytes, sha256, evidence: evidenceOf(knownSha256, file), resumedAt: bytes, commit: null };
    }
  }
  // Bytes of an earlier attempt count as free: they are part of the file.
  const roomBytes = Math.max(0, (await freeBytesIn(directory)) - spareBytes + (await sizeOf(`${target}.part`)));
  const maxBytes = Math.min(leftBytes, isWeights(file.path) ? leftBytes : maxDescribingBytes);
  let absent = false;
  try {
    return await downloadFile({
      target,
      file,
      knownSha256,
      async ask(headers, signal) {
        const answer = await ask(headers, signal);
        absent = answer.response.status === 404;
        if (!absent) return answer;
        await answer.response.body?.cancel();
        throw new PullError(`${file.path} does not exist`);
      },
      maxBytes,
      roomBytes,
      timeoutMs: request.access.timeoutMs,
      onProgress: (bytes) => request.events.onProgress(file.path, bytes),
      signal: request.signal,
      sleep: request.sleep,
    });
  } catch (error) {
    if (absent) return null;
    throw error;
  }
}
