import { cleanText } from "../clean-text.ts";
import { childEnvironment } from "./child-environment.ts";

export interface CommandOutcome {
  readonly kind: "exited" | "timed-out" | "not-started";
  /** Null unless it exited by itself. */
  readonly exitCode: number | null;
  /** Standard output and error together. */
  readonly output: string;
}

/** Only a few lines of a tool's output are needed; the rest of an endless one is dropped. */
const maxOutputCharacters = 256 * 1024;

/** Time after the end in which output still counts; a grandchild may keep the pipes open for longer. */
const lastOutputMs = 500;

/** Collects the text of a stream until it ends or `stop` is called: a stream still read would keep this process alive. */
function collect(stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const read = async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (text.length < maxOutputCharacters) text += decoder.decode(part.value, { stream: true });
    }
  };
  return { ended: read().catch(() => {}), text: () => text, stop: () => void reader.cancel().catch(() => {}) };
}

/** Kills a child where that is allowed: a service user can't kill one that runs as root (by sudo). */
export function killIfAllowed(child: Bun.Subprocess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // EPERM: it runs until it ends by itself, and must not keep this process alive.
  }
  child.unref();
}

/**
 * Runs a command with empty standard input, in the C locale, and resolves after at most `timeoutMs` and half a second for the last
 * output, also when the command can't be killed. Never rejects.
 * @param environment in place of this process' own in the C locale
 */
export async function runCommand(
  command: readonly string[],
  timeoutMs: number,
  environment: Readonly<Record<string, string | undefined>> = childEnvironment("command", { LC_ALL: "C" }),
): Promise<CommandOutcome> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const child = Bun.spawn([...command], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: environment,
    });
    const outputs = [collect(child.stdout), collect(child.stderr)];
    const timeOut = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), timeoutMs);
    });
    const exitCode = await Promise.race([child.exited, timeOut]);
    if (exitCode === null) killIfAllowed(child);
    await Promise.race([Promise.all(outputs.map(({ ended }) => ended)), Bun.sleep(lastOutputMs)]);
    for (const output of outputs) output.stop();
    const output = outputs.map(({ text }) => text()).join("");
    return { kind: exitCode === null ? "timed-out" : "exited", exitCode, output };
  } catch (error) {
    return { kind: "not-started", exitCode: null, output: (error as Error).message };
  } finally {
    clearTimeout(timer);
  }
}

/** Limits of the quoted output of a failed tool. */
const maxQuotedLines = 5;
const maxQuotedCharacters = 400;

/** Returns the sentence about a command that did not do what it should. */
export function outcomeToText(command: readonly string[], outcome: CommandOutcome, timeoutMs: number): string {
  const name = command.join(" ");
  // The first line that failed often says why, the last one only that it did.
  const lines = outcome.output.split("\n").flatMap((line) => line.trim() || []);
  const said = cleanText(lines.slice(-maxQuotedLines).join("; "), maxQuotedCharacters);
  switch (outcome.kind) {
    case "not-started":
      return `${name} can't be run: ${said}`;
    case "timed-out":
      return `${name} did not end within ${timeoutMs} ms`;
    case "exited":
      return `${name} exited with ${outcome.exitCode}${said === "" ? "" : `: ${said}`}`;
  }
}
