import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { childEnvironment } from "#platform/process/child-environment.ts";

interface ChildOptions {
  /** Name in messages, such as "agent thor-1". */
  readonly name: string;
  readonly command: readonly string[];
  /** File for its output. */
  readonly logPath: string;
}

/** Process of the demo's fleet. It watches its standard input and so ends with this process, however this one ends. */
export class ChildProcess {
  readonly name: string;
  readonly logPath: string;
  readonly #child: Bun.Subprocess<"pipe", number, number>;
  #stopping = false;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.logPath = options.logPath;
    const log = openSync(options.logPath, "a");
    try {
      this.#child = Bun.spawn([...options.command], {
        env: childEnvironment("service"),
        stdin: "pipe",
        stdout: log,
        stderr: log,
        // In a session and a process group of its own: Ctrl-C in the terminal must not stop it before the demo does.
        detached: true,
      });
    } finally {
      closeSync(log);
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves with the cause when the process has ended: "exit code 2", "signal SIGKILL". */
  async ended(): Promise<string> {
    await this.#child.exited;
    return this.#child.signalCode === null ? `exit code ${this.#child.exitCode}` : `signal ${this.#child.signalCode}`;
  }

  /** True after {@link stop} was called: its end is then not a failure. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Stops the process, and kills it after `graceMs` of real time. Resolves with true if it had to be killed. */
  async stop(graceMs: number): Promise<boolean> {
    this.#stopping = true;
    if (!this.running) return false;
    this.#child.kill("SIGTERM");
    let killed = false;
    const timer = setTimeout(() => {
      killed = true;
      this.#child.kill("SIGKILL");
    }, graceMs);
    await this.#child.exited;
    clearTimeout(timer);
    return killed;
  }

  /** Kills the process and those it started, at once. */
  kill(): void {
    this.#stopping = true;
    if (!this.running) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // All of them have ended.
    }
  }

  /** Returns the end of its log. */
  async lastLines(count: number): Promise<string[]> {
    const text = await readFile(this.logPath, "utf8").catch(() => "");
    return text.trimEnd().split("\n").slice(-count);
  }
}
