import { connect } from "node:net";
import type { SetModeResult } from "#agent/power/device/device.ts";

/** Limit of an answer, one line of JSON. */
const maxAnswerBytes = 4096;
/** Wait before the next attempt: the helper serves one client at a time and turns others away. */
const askAgainMs = 300;

/** Answer line, or the reason for its absence. */
type Exchange =
  | { readonly kind: "line"; readonly line: string }
  /** Connected, and closed again without an answer. */
  | { readonly kind: "turned-away" }
  | { readonly kind: "error"; readonly reason: string };

function exchange(socketPath: string, line: string, timeoutMs: number): Promise<Exchange> {
  const { promise, resolve } = Promise.withResolvers<Exchange>();
  let text = "";
  const socket = connect({ path: socketPath }, () => socket.write(line));
  const timer = setTimeout(
    () => resolve({ kind: "error", reason: `it did not answer within ${Math.ceil(timeoutMs)} ms` }),
    timeoutMs,
  );
  socket.setEncoding("utf8");
  socket.on("data", (part: string) => {
    text += part;
    const end = text.indexOf("\n");
    if (end !== -1) resolve({ kind: "line", line: text.slice(0, end) });
    else if (text.length > maxAnswerBytes) resolve({ kind: "error", reason: "its answer is too long" });
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    const turnedAway = error.code === "EPIPE" || error.code === "ECONNRESET";
    resolve(turnedAway ? { kind: "turned-away" } : { kind: "error", reason: error.code ?? error.message });
  });
  socket.on("close", () => resolve({ kind: "turned-away" }));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

function parseAnswer(line: string): SetModeResult | null {
  try {
    const { kind, reason } = JSON.parse(line) as { kind?: unknown; reason?: unknown };
    if (kind === "set") return { kind };
    if ((kind === "failed" || kind === "reboot-required") && typeof reason === "string") return { kind, reason };
  } catch {
    // no JSON
  }
  return null;
}

/** Asks the power helper to set a mode, and again while it is busy, for as long as `timeoutMs`. Never rejects. */
export async function askPowerHelper(socketPath: string, modeId: number, timeoutMs: number): Promise<SetModeResult> {
  const failed = (reason: string): SetModeResult => ({
    kind: "failed",
    reason: `the power helper (${socketPath}): ${reason}`,
  });
  const startedMs = performance.now();
  for (;;) {
    const leftMs = timeoutMs - (performance.now() - startedMs);
    if (leftMs <= 0) return failed(`it was busy for ${timeoutMs} ms`);
    const outcome = await exchange(socketPath, `${modeId}\n`, leftMs);
    if (outcome.kind === "error") return failed(outcome.reason);
    if (outcome.kind === "line") {
      const answer = parseAnswer(outcome.line);
      return answer ?? failed(`it answered "${outcome.line.slice(0, 100)}"`);
    }
    await Bun.sleep(Math.min(askAgainMs, leftMs));
  }
}
