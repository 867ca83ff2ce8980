import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startProgram, temporaryDirectory } from "../../test/e2e/program.ts";

/** Growth allowed above the controller at rest: libraries used for the first time, uncollected garbage, socket buffers. */
const maxGrowthMb = 250;

/** A controller that a fuzzer writes to. */
export interface FuzzedController {
  readonly program: ReturnType<typeof startProgram>;
  readonly stateDir: string;
  /** Memory at rest, from {@link rest} on, and the highest since, in words. */
  memory(): string;
  hasEnded(): boolean;
  /** Notes the memory at rest, to be called once the first client has been let in. */
  rest(): void;
  /** @throws if the controller has ended, has grown too far, writes too much, or logs an error of its own */
  check(): void;
}

/** Reads `--seconds`, `--seed` and `--binary`; ends the process with 2 if one is wrong. */
export function readFuzzOptions(name: string): { seconds: number; seed: number; command: string[] } {
  const { values } = parseArgs({
    options: { seconds: { type: "string" }, seed: { type: "string" }, binary: { type: "string" } },
  });
  const seconds = Number(values.seconds ?? 60);
  const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  if (!(seconds > 0 && seconds <= 86_400) || !Number.isSafeInteger(seed) || seed < 0) {
    process.stderr.write(`${name}: expected --seconds from 0 to 86400 and --seed, a whole number\n`);
    process.exit(2);
  }
  const command = values.binary === undefined ? [process.execPath, resolve("main.ts")] : [resolve(values.binary)];
  return { seconds, seed, command };
}

/**
 * Starts a controller, runs a fuzzer against it, stops it, and ends this process: with 1 if the fuzzer threw or the controller did not end well.
 * @param options.args of the controller, beside its address and state directory
 * @param options.maxLogBytes what the controller may write in the meantime
 */
export async function fuzzController(
  name: string,
  options: { seed: number; seconds: number; command: string[]; args: readonly string[]; maxLogBytes: number },
  run: (fuzzed: FuzzedController) => Promise<void>,
): Promise<never> {
  const { seed, seconds, command, args, maxLogBytes } = options;
  const directory = temporaryDirectory();
  const stateDir = join(directory.path, "state");
  const listening = ["controller", "--listen", "127.0.0.1:0", "--state-dir", stateDir];
  const program = startProgram([...listening, ...args], directory.path, {}, command);
  const { child: controller, log } = program;
  const rssMb = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${controller.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  const hasEnded = () => controller.exitCode !== null || controller.signalCode !== null;
  let idleMb = Number.NaN;
  let highestMb = Number.NaN;
  const fuzzed: FuzzedController = {
    program,
    stateDir,
    memory: () => `${idleMb.toFixed(0)} MB idle, ${highestMb.toFixed(0)} at most`,
    hasEnded,
    rest() {
      idleMb = rssMb();
      highestMb = idleMb;
    },
    check() {
      if (hasEnded()) throw new Error("the controller has ended");
      highestMb = Math.max(highestMb, rssMb());
      if (!(highestMb <= idleMb + maxGrowthMb))
        throw new Error(`memory is more than ${maxGrowthMb} MB above rest: ${fuzzed.memory()}`);
      const text = log();
      if (text.length > maxLogBytes) throw new Error(`a log of ${text.length} bytes`);
      const odd = text
        .split("\n")
        .find((line) => /this is a bug|unhandled|uncaught|"level":"(error|fatal)"/i.test(line));
      if (odd !== undefined) throw new Error(`in its log: ${odd.slice(0, 500)}`);
    },
  };
  process.stdout.write(`${name}: seed ${seed}, ${seconds} s\n`);
  let code = 0;
  try {
    await run(fuzzed);
  } catch (error) {
    code = 1;
    process.stderr.write(`${name}: failed with seed ${seed}: ${(error as Error).message}\n`);
    process.stderr.write(`${log().split("\n").slice(-15).join("\n")}\n`);
  } finally {
    controller.kill("SIGTERM");
    const timer = setTimeout(() => controller.kill("SIGKILL"), 10_000);
    const ended = await controller.exited;
    clearTimeout(timer);
    if (code === 0 && ended !== 0) {
      process.stderr.write(`${name}: the controller ended with ${ended}\n`);
      code = 1;
    }
    directory.remove();
  }
  process.exit(code);
}
