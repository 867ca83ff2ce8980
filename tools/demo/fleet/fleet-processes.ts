import { join } from "node:path";
import { ChildProcess } from "./child-process.ts";

const shownLogLines = 12;
const stopGraceMs = 8_000;

/** Error of a process that ended or was not ready in time. The message names it and the cause, and quotes the end of its log. */
export class FleetFailure extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FleetFailure";
  }
}

async function failureOf(child: ChildProcess, what: string): Promise<FleetFailure> {
  const lines = (await child.lastLines(shownLogLines)).map((line) => `    ${line}`);
  return new FleetFailure(`${child.name} ${what}; the end of its log (${child.logPath}):\n${lines.join("\n")}`);
}

/** Child processes of the demo: started one by one, watched, and stopped in the opposite order. */
export class FleetProcesses {
  readonly #directory: string;
  readonly #children: ChildProcess[] = [];
  readonly #failure: Promise<never>;
  #fail: (failure: FleetFailure) => void = () => {};
  #closed = false;

  /** @param directory for the log files */
  constructor(directory: string) {
    this.#directory = directory;
    this.#failure = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // A failure between two calls of `guard` is reported by the next one.
    this.#failure.catch(() => {});
  }

  /** Starts a process. @throws FleetFailure when the fleet is being stopped: a start in progress must not add to it */
  start(name: string, command: readonly string[]): ChildProcess {
    if (this.#closed) throw new FleetFailure(`${name} is not started: the fleet is being stopped`);
    const child = new ChildProcess({
      name,
      command,
      logPath: join(this.#directory, `${name.replaceAll(" ", "-")}.log`),
    });
    this.#children.push(child);
    void child.ended().then(async (how) => {
      if (!child.stopping) this.#fail(await failureOf(child, `ended by itself (${how})`));
    });
    return child;
  }

  /** Resolves with `work`, or rejects with a FleetFailure as soon as a process ends by itself. */
  guard<T>(work: Promise<T>): Promise<T> {
    return Promise.race([this.#failure, work]);
  }

  /**
   * Polls `probe` until it returns true.
   * @throws FleetFailure after `timeoutMs` of real time, or when any process ends meanwhile.
   */
  async waitUntil(child: ChildProcess, what: string, timeoutMs: number, probe: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!(await this.guard(probe()))) {
      if (performance.now() > deadlineMs) {
        throw await failureOf(child, `was not ${what} after ${Math.round(timeoutMs / 1000)} s`);
      }
      await this.guard(Bun.sleep(50));
    }
  }

  /** Kills all processes at once, for an end that can't wait. */
  killAll(): void {
    this.#closed = true;
    for (const child of this.#children) child.kill();
  }

  /** Stops the processes, the last started first and those of a `group` at the same time. Resolves with the names of those that had to be killed. */
  async stopAll(group: (child: ChildProcess) => string): Promise<string[]> {
    this.#closed = true;
    const killed: string[] = [];
    const left = [...this.#children].reverse();
    while (left.length > 0) {
      const name = group(left[0] as ChildProcess);
      const together = left.filter((child) => group(child) === name);
      await Promise.all(
        together.map(async (child) => {
          if (await child.stop(stopGraceMs)) killed.push(child.name);
        }),
      );
      left.splice(0, left.length, ...left.filter((child) => !together.includes(child)));
    }
    return killed;
  }
}
