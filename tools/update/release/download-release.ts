import { open, rm, stat } from "node:fs/promises";
import { describeError } from "#platform/errors.ts";
import { faultPoint } from "../fault-points.ts";
import { UpdateError } from "../update-error.ts";
import { askServer, refuseStatus, type ServerLimits } from "./ask-server.ts";

/** Attempts in a row that bring no byte. */
const maxIdleAttempts = 5;

export interface ReleaseDownload {
  readonly url: URL;
  /** Length by the signed manifest: nothing beyond it is read. */
  readonly bytes: number;
  /** File that grows; one that is there from an earlier attempt is continued. */
  readonly target: string;
  readonly limits: ServerLimits;
  readonly sleep: (ms: number) => Promise<void>;
  readonly onProgress: (bytes: number) => void;
}

const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/** Ends a transfer that brings too little in a stretch of time. */
function watchRate({ minBytesPerS, rateOverMs }: ServerLimits, abort: AbortController) {
  let came = 0;
  const timer = setInterval(() => {
    if (came < (minBytesPerS * rateOverMs) / 1000) abort.abort();
    came = 0;
  }, rateOverMs);
  const add = (bytes: number) => {
    came += bytes;
  };
  return { add, stop: () => clearInterval(timer) };
}

/** Appends what the server sends from where the file ends. */
async function attempt(download: ReleaseDownload): Promise<void> {
  const { url, bytes, target, limits, onProgress } = download;
  const have = await sizeOf(target);
  if (have > bytes) await rm(target, { force: true });
  const from = have > bytes ? 0 : have;
  if (from === bytes) return;
  const tooSlow = new AbortController();
  const silence = setTimeout(() => tooSlow.abort(), limits.answerWithinMs);
  const rate = watchRate(limits, tooSlow);
  try {
    const response = await askServer(url, from === 0 ? {} : { range: `bytes=${from}-` }, tooSlow.signal);
    clearTimeout(silence);
    await refuseStatus(response, url, [200, 206]);
    const resumes = response.status === 206;
    if (resumes && !(response.headers.get("content-range") ?? "").startsWith(`bytes ${from}-`)) {
      await response.body?.cancel().catch(() => {});
      await rm(target, { force: true });
      throw new UpdateError(`${url.host} continues ${url.pathname} at a different offset than requested`, {
        temporary: true,
      });
    }
    const handle = await open(target, resumes ? "a" : "w", 0o600);
    let length = resumes ? from : 0;
    try {
      faultPoint("download-begun");
      for await (const piece of response.body ?? []) {
        length += piece.byteLength;
        if (length > bytes) {
          await rm(target, { force: true });
          throw new UpdateError(`${url.pathname}: the manifest says ${bytes} bytes, ${url.host} sends more`);
        }
        await handle.writeFile(piece);
        rate.add(piece.byteLength);
        onProgress(length);
        if (length > bytes / 2) faultPoint("download-half");
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (length < bytes)
      throw new UpdateError(`the connection to ${url.host} ended at ${length} of ${bytes} bytes`, { temporary: true });
  } catch (error) {
    if (tooSlow.signal.aborted)
      throw new UpdateError(
        `${url.host} sends ${url.pathname} at less than ${limits.minBytesPerS} bytes/s: giving up`,
        {
          temporary: true,
        },
      );
    if (error instanceof UpdateError || (error as NodeJS.ErrnoException).code === "ENOSPC") throw error;
    throw new UpdateError(`the connection to ${url.host} was cut: ${describeError(error)}`, { temporary: true });
  } finally {
    clearTimeout(silence);
    rate.stop();
  }
}

/**
 * Downloads a file of known length, continuing an earlier attempt. Its bytes are still to be compared with the manifest.
 * @throws UpdateError; what came stays for the next time
 */
export async function downloadRelease(download: ReleaseDownload): Promise<void> {
  let idle = 0;
  for (;;) {
    const before = await sizeOf(download.target);
    try {
      return await attempt(download);
    } catch (error) {
      if (!(error instanceof UpdateError) || !error.temporary) throw error;
      idle = (await sizeOf(download.target)) > before ? 1 : idle + 1;
      if (idle >= maxIdleAttempts)
        throw new UpdateError(`${error.message}, ${maxIdleAttempts} times in a row; the same command continues later`);
      await download.sleep(download.limits.retryAfterMs * 2 ** (idle - 1));
    }
  }
}
