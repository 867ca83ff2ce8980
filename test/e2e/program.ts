import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The program under test: the compiled binary named by THORMESH_BINARY, else the sources. */
export const programCommand: readonly string[] =
  process.env["THORMESH_BINARY"] === undefined
    ? [process.execPath, join(import.meta.dir, "..", "..", "main.ts")]
    : [process.env["THORMESH_BINARY"]];

export interface Program {
  readonly child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  /** All of its log so far. */
  log(): string;
  /** Resolves when a line of the log contains `text`; rejects when the program ends first. */
  untilLogged(text: string): Promise<string>;
  /** Ends it by its own process id and waits. Resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number>;
}

/** Starts the program with these arguments in a directory, with `env` beside this process' environment; it ends when this test process does. */
export function startProgram(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Program {
  const child = Bun.spawn([...programCommand, ...args], {
    cwd,
    // What programs of one directory leave for each other is not left in the user's own.
    env: { ...process.env, XDG_STATE_HOME: join(cwd, "xdg-state"), ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  let watchers: (() => void)[] = [];
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) {
      text += decoder.decode(chunk, { stream: true });
      for (const watcher of watchers) watcher();
    }
  })();
  return {
    child,
    log: () => text,
    untilLogged(wanted) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const line = text.split("\n").find((candidate) => candidate.includes(wanted));
          if (line === undefined) return;
          watchers = watchers.filter((watcher) => watcher !== look);
          resolve(line);
        };
        watchers.push(look);
        look();
        void Promise.all([child.exited, reading]).then(() => {
          reject(new Error(`the program ended before it logged "${wanted}":\n${text}`));
        });
      });
    },
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      return await child.exited;
    },
  };
}

/** A directory of its own for one test. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "thormesh-e2e-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Asks again until the answer satisfies; fails with the last answer after `timeoutMs`. */
export async function eventually<T>(
  ask: () => Promise<T>,
  satisfied: (answer: T) => boolean,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let last: T | undefined;
    let failure: unknown;
    try {
      last = await ask();
      if (satisfied(last)) return last;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`still not so after ${timeoutMs} ms: ${failure ?? JSON.stringify(last)?.slice(0, 2000)}`);
    }
    await Bun.sleep(50);
  }
}
