import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { childEnvironment } from "#platform/process/child-environment.ts";

export interface ChildOptions {
  /** What people call it, e.g. "agent thor-1". */
  readonly name: string;
  readonly command: readonly string[];
  /** Takes all it prints. */
  readonly logPath: string;
}

/** One process of the demo's fleet. It ends with this process however this one ends, as long as it watches its standard input. */
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
        // A session of its own: Ctrl-C in the terminal must not stop it before the demo does, in order.
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

  /** Resolves when the process has ended, with how: "exit code 2", "signal SIGKILL". */
  async ended(): Promise<string> {
    await this.#child.exited;
    return this.#child.signalCode === null ? `exit code ${this.#child.exitCode}` : `signal ${this.#child.signalCode}`;
  }

  /** True once {@link stop} was called: its end is no failure then. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Asks it to stop, waits, and kills it when it takes longer than `graceMs` of real time. Resolves with whether it had to be killed. */
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

  /** The end of its log. */
  async lastLines(count: number): Promise<string[]> {
    const text = await readFile(this.logPath, "utf8").catch(() => "");
    return text.trimEnd().split("\n").slice(-count);
  }
}
