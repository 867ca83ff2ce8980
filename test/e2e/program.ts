import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { patienceMs } from "../patience.ts";

/** Program under test: the compiled binary named by THORMESH_BINARY, else the sources. */
export const programCommand: readonly string[] =
  process.env["THORMESH_BINARY"] === undefined
    ? [process.execPath, join(import.meta.dir, "..", "..", "main.ts")]
    : [process.env["THORMESH_BINARY"]];

export interface Program {
  readonly child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  /** Returns its log so far. */
  log(): string;
  /** Resolves when a line of the log contains `text`; rejects when the program ends first. */
  untilLogged(text: string): Promise<string>;
  /** Sends it a signal and waits for its end. Resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number>;
}

/** Starts the program in a directory, with this process' environment and `env`. It ends with this test process. */
export function startProgram(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
  command: readonly string[] = programCommand,
): Program {
  const child = Bun.spawn([...command, ...args], {
    cwd,
    // Files that programs leave for each other stay in this directory, not in the user's own.
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
        setTimeout(() => reject(new Error(`the program did not log "${wanted}":\n${text}`)), patienceMs).unref();
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

/** Writes a configuration into a directory and starts the program with it. */
export async function startConfigured(
  command: "agent" | "controller",
  config: object,
  directory: string,
  { name = command, env = {} }: { readonly name?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Program> {
  const path = join(directory, `${name}.json`);
  await Bun.write(path, JSON.stringify(config));
  return startProgram([command, "--config", path], directory, env);
}

/** Waits until an agent that was started is ready. Resolves with its address and the id of its boot. */
export async function untilReady(agent: Program): Promise<{ readonly url: string; readonly bootId: string }> {
  const { url, bootId } = JSON.parse(await agent.untilLogged('"agent started"'));
  await eventually(
    async () => (await fetch(`${url}/readyz`)).status,
    (status) => status === 200,
  );
  return { url, bootId };
}

/** Sends requests of one new text each, one after the other. Fails unless each is answered. */
export async function embedTexts(url: string, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const body = JSON.stringify({ inputs: [`gripper ${index} reports torque ${Math.random()}`] });
    const response = await fetch(`${url}/api/v1/embed`, { method: "POST", body });
    if (response.status !== 200)
      throw new Error(`expected an answer, got ${response.status}: ${await response.text()}`);
    await response.arrayBuffer();
  }
}

/** Creates a directory for one test. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "thormesh-e2e-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Repeats `ask` until its answer satisfies. Fails with the last answer after `timeoutMs`. */
export async function eventually<T>(
  ask: () => Promise<T>,
  satisfied: (answer: T) => boolean,
  timeoutMs = patienceMs,
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
