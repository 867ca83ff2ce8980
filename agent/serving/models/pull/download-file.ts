import { open, rename, rm, stat, writeFile } from "node:fs/promises";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { hashFile } from "./hash-file.ts";
import { describeFromHeaders, type HubFile } from "./hub-listing.ts";
import type { HubAnswer } from "./hub-request.ts";
import { PullError } from "./pull-error.ts";
import { readPieces } from "./read-body.ts";

/** Evidence that a file is the right one. `size`: the server states only its length. */
type Evidence = "catalogue sha256" | "hub sha256" | "hub git object" | "manifest sha256" | "size";

/** Names the strongest evidence there is for a file. */
export function evidenceOf(knownSha256: string | null, { sha256, gitSha1 }: HubFile): Evidence {
  if (knownSha256 !== null) return "catalogue sha256";
  if (sha256 !== null) return "hub sha256";
  return gitSha1 !== null ? "hub git object" : "size";
}

export interface DownloadedFile {
  readonly bytes: number;
  readonly sha256: string;
  readonly evidence: Evidence;
  /** Bytes from an earlier attempt. */
  readonly resumedAt: number;
  readonly commit: string | null;
}

export interface Download {
  /** Path of the file; until it is complete its bytes are in `<target>.part`. */
  readonly target: string;
  readonly file: HubFile;
  /** Hash from the catalogue; overrides the hub's. */
  readonly knownSha256: string | null;
  /** Requests the file with these headers; 200, 206 and 416 are answers. */
  readonly ask: (headers: Record<string, string>, signal: AbortSignal) => Promise<HubAnswer>;
  /** Maximum size, whatever the server announces. */
  readonly maxBytes: number;
  /** Free space on the disk for it. */
  readonly roomBytes: number;
  readonly timeoutMs: number;
  /** Receives the bytes of the file so far. */
  readonly onProgress: (bytes: number) => void;
  readonly signal: AbortSignal;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Attempts in a row without another byte. */
const maxFailuresInRow = 5;
/** Attempts in all: a server that sends a little and takes it back would continue for ever. */
const maxAttempts = 1000;
const firstWaitMs = 500;
const longestWaitMs = 30_000;

/** Returns the size of a file; 0 when there is none. */
export const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/** Returns the validator (strong ETag, else Last-Modified) that identifies this version of the file. */
function validatorOf(headers: Headers): string | null {
  const etag = headers.get("etag");
  if (etag !== null && !etag.startsWith("W/")) return etag;
  return headers.get("last-modified");
}

/** Error with the system's code for a full disk; some space is left for an agent's records. */
const noRoom = () => Object.assign(new Error("no space left on the device"), { code: "ENOSPC" });

/** Appends a body to a file, never beyond `limit.bytes`, and gives up a server that falls silent. */
async function append(
  body: ReadableStream<Uint8Array>,
  path: string,
  from: number,
  limit: { readonly bytes: number; readonly reason: string },
  download: Download,
): Promise<number> {
  const { file, roomBytes, onProgress } = download;
  const handle = await open(path, from === 0 ? "w" : "a");
  let written = from;
  try {
    for await (const piece of readPieces(body, "nothing", download)) {
      const length = written + piece.length;
      if (length > limit.bytes) {
        await rm(path, { force: true });
        throw new PullError(
          `${file.path}: ${limit.reason} ${limit.bytes} bytes, got ${length} or more: the file was discarded`,
        );
      }
      if (length > roomBytes) throw noRoom();
      await handle.writeFile(piece);
      written = length;
      onProgress(written);
    }
    return written;
  } finally {
    await handle.close();
  }
}

/** Makes one attempt: continues the file when the server can, and starts again when it can't. */
async function attempt(
  download: Download,
  part: string,
): Promise<{ resumedAt: number; said: HubFile; commit: string | null }> {
  const { ask, file, signal } = download;
  const notes = `${part}.json`;
  const have = await sizeOf(part);
  const validator: string | null = await readRegularText(notes).then(
    (text) => JSON.parse(text).validator ?? null,
    () => null,
  );
  // Without a validator a known hash proves that both halves are of one file.
  const knowsHash = (download.knownSha256 ?? file.sha256 ?? file.gitSha1) !== null;
  const mayResume = have > 0 && (validator !== null || knowsHash);
  const headers: Record<string, string> = {};
  if (mayResume) headers["range"] = `bytes=${have}-`;
  if (mayResume && validator !== null) headers["if-range"] = validator;
  const { response, hops } = await ask(headers, signal);
  const { commit, ...fromHeaders } = describeFromHeaders(hops);
  const said: HubFile = {
    path: file.path,
    bytes: file.bytes ?? fromHeaders.bytes,
    sha256: file.sha256 ?? fromHeaders.sha256,
    gitSha1: file.gitSha1 ?? fromHeaders.gitSha1,
  };
  if (response.status === 416) {
    await response.body?.cancel();
    // The file is complete, or its beginning is of another version: the hash tells, or the next attempt starts again.
    if (have === said.bytes) return { resumedAt: have, said, commit };
    await rm(part, { force: true });
    throw new PullError(`the length of ${file.path} has changed`, { temporary: true });
  }
  const encoding = response.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity")
    throw new PullError(`the server sends ${file.path} as ${encoding}, although asked not to`);
  const range = /^bytes (\d+)-\d*\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  const from = response.status === 206 ? Number(range?.[1] ?? Number.NaN) : 0;
  if (from !== 0 && from !== have) {
    await response.body?.cancel();
    await rm(part, { force: true });
    throw new PullError(`the server continues ${file.path} at a different offset than requested`, { temporary: true });
  }
  await writeFile(notes, JSON.stringify({ validator: validatorOf(response.headers) }));
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  const announced = said.bytes ?? (Number.isFinite(length) ? from + length : null);
  const refuse = async (message: string) => {
    await response.body?.cancel().catch(() => {});
    await rm(part, { force: true });
    throw new PullError(`${file.path}: ${message}`);
  };
  if (announced !== null && announced > download.maxBytes)
    await refuse(`expected at most ${download.maxBytes} bytes, the server announces ${announced}`);
  if (announced !== null && announced > download.roomBytes) {
    await response.body?.cancel().catch(() => {});
    throw noRoom();
  }
  if (said.bytes !== null && from + length > said.bytes)
    await refuse(`announced as ${said.bytes} bytes, the server sends ${from + length}`);
  const limit =
    announced === null
      ? { bytes: download.maxBytes, reason: "expected at most" }
      : { bytes: announced, reason: "announced with" };
  const written = response.body === null ? from : await append(response.body, part, from, limit, download);
  if (response.body === null) await writeFile(part, "");
  if (announced !== null && written < announced)
    throw new PullError(`the connection was cut at ${written} of ${announced} bytes`, { temporary: true });
  return { resumedAt: from, said: { ...said, bytes: announced }, commit };
}

/** @throws PullError naming what was expected and what came. */
async function check(part: string, said: HubFile, knownSha256: string | null) {
  const actual = await hashFile(part);
  const refuse = (what: string, expected: string | number, got: string | number) => {
    throw new PullError(`${said.path} is not the expected file: expected ${what} ${expected}, got ${got}`);
  };
  if (said.bytes !== null && actual.bytes !== said.bytes) refuse("bytes", said.bytes, actual.bytes);
  const sha256 = knownSha256 ?? said.sha256;
  if (sha256 !== null && actual.sha256 !== sha256) refuse("sha256", sha256, actual.sha256);
  if (sha256 === null && said.gitSha1 !== null && actual.gitSha1 !== said.gitSha1)
    refuse("git object", said.gitSha1, actual.gitSha1);
  return { bytes: actual.bytes, sha256: actual.sha256, evidence: evidenceOf(knownSha256, said) };
}

/**
 * Downloads a file, continuing an earlier attempt, and checks that it is the right one.
 * @throws PullError when it can't be downloaded or is another one; the signal's reason when it aborts (its bytes stay for the next time).
 */
export async function downloadFile(download: Download): Promise<DownloadedFile> {
  const { target, signal } = download;
  const part = `${target}.part`;
  let failuresInRow = 0;
  let distrusted = false;
  for (let attempts = 1; ; attempts += 1) {
    if (attempts > maxAttempts)
      throw new PullError(
        `${download.file.path}: incomplete after ${maxAttempts} attempts; run the same command again to continue`,
      );
    const before = await sizeOf(part);
    try {
      const { resumedAt, said, commit } = await attempt(download, part);
      try {
        const checked = await check(part, said, download.knownSha256);
        await rename(part, target);
        await rm(`${part}.json`, { force: true });
        return { ...checked, resumedAt, commit };
      } catch (error) {
        await rm(part, { force: true });
        // A continued file may consist of two versions: it is downloaded once more, from the beginning.
        if (!(error instanceof PullError) || resumedAt === 0 || distrusted) throw error;
        distrusted = true;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof PullError) || !error.temporary) throw error;
      failuresInRow = (await sizeOf(part)) > before ? 1 : failuresInRow + 1;
      if (failuresInRow >= maxFailuresInRow) {
        throw new PullError(`${error.message}, ${maxFailuresInRow} times in a row; the same command continues later`, {
          cause: error.cause,
        });
      }
      const waitMs = error.retryAfterMs ?? firstWaitMs * 2 ** (failuresInRow - 1);
      await download.sleep(Math.min(longestWaitMs, waitMs));
      signal.throwIfAborted();
    }
  }
}
