import { readFile } from "node:fs/promises";
import type { SetModeResult } from "#agent/power/device/device.ts";
import { parseNvpmodelConf } from "#agent/power/device/parse-nvpmodel.ts";
import { runNvpmodel } from "#agent/power/device/run-nvpmodel.ts";
import { describeError } from "#platform/errors.ts";
import { checkTrustedPath } from "#platform/files/check-trusted-path.ts";

/** Three digits and the end of the line. */
const maxRequestBytes = 4;
const requestLine = /^(0|[1-9]\d{0,2})\n$/;
/** Lists of boards have a few kilobytes. */
const maxConfBytes = 1 << 20;
const maxReasonLength = 300;

export interface ModeRequestOptions {
  /** List of modes, which other users must not be able to change. */
  readonly confPath: string;
  /** Full path of nvpmodel, which other users must not be able to change. */
  readonly nvpmodelPath: string;
  /** Ids that may be set; null for all of the list. */
  readonly allowedIds: ReadonlySet<number> | null;
  /** Maximum time for a client to send its line. */
  readonly requestTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

const failed = (reason: string): SetModeResult => ({
  kind: "failed",
  reason: reason.replaceAll(/[^ -~]+/g, " ").slice(0, maxReasonLength),
});

/** Reads a request of bounded length. Returns null for one that is late or invalid. */
async function readRequest(input: ReadableStream<Uint8Array>, timeoutMs: number): Promise<number | null> {
  const reader = input.getReader();
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), timeoutMs);
  let text = "";
  try {
    while (text.length <= maxRequestBytes && !text.includes("\n")) {
      const part = await Promise.race([reader.read(), late.promise]);
      if (part === null || part.done) return null;
      text += String.fromCharCode(...part.value.subarray(0, maxRequestBytes + 1));
    }
    const id = requestLine.exec(text)?.[1];
    return id === undefined ? null : Number(id);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
  }
}

async function listedIds(confPath: string): Promise<ReadonlySet<number>> {
  checkTrustedPath(confPath, "the list of power modes");
  const bytes = Bun.file(confPath).size;
  if (bytes > maxConfBytes) throw new Error(`${confPath}: expected at most ${maxConfBytes} bytes, got ${bytes}`);
  return new Set(parseNvpmodelConf(await readFile(confPath, "utf8")).modes.map(({ id }) => id));
}

/** Environment of nvpmodel: nothing of the caller's. */
const cleanEnvironment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/", LC_ALL: "C" };

/**
 * Reads one line with the id of a mode, and sets that mode if the board's list has it. Nothing else runs with the right to set modes: the
 * client chooses a number, but no options, files or environment, and nvpmodel's question for a reboot is never answered.
 */
export async function answerModeRequest(
  input: ReadableStream<Uint8Array>,
  options: ModeRequestOptions,
): Promise<SetModeResult> {
  const id = await readRequest(input, options.requestTimeoutMs);
  if (id === null) return failed("expected one line with a power mode's id, 0 to 999");
  try {
    const listed = await listedIds(options.confPath);
    if (!listed.has(id))
      return failed(`mode ${id} is not in ${options.confPath}, which lists ${[...listed].join(", ")}`);
    if (options.allowedIds !== null && !options.allowedIds.has(id))
      return failed(`mode ${id} is not one of the allowed modes: ${[...options.allowedIds].join(", ")}`);
    checkTrustedPath(options.nvpmodelPath, "nvpmodel");
  } catch (error) {
    return failed(describeError(error));
  }
  const { nvpmodelPath, commandTimeoutMs } = options;
  const result = await runNvpmodel([nvpmodelPath], id, commandTimeoutMs, cleanEnvironment);
  return result.kind === "failed" ? failed(result.reason) : result;
}
