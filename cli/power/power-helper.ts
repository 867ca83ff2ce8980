import { writeSync } from "node:fs";
import { isAbsolute } from "node:path";
import { answerModeRequest } from "#agent/power/device/set-mode/answer-mode-request.ts";
import { UsageError } from "#platform/errors.ts";
import { createLogger } from "#platform/log.ts";
import { type Command, optionalString } from "#platform/terminal/command.ts";

const requestTimeoutMs = 2000;
const commandTimeoutMs = 10_000;
/** Pause before the process ends. The socket unit accepts one connection at a time, so modes change no faster than this. */
const restMs = 1000;

function absolutePath(text: string, option: string): string {
  if (!isAbsolute(text)) throw new UsageError(`--${option}: expected a full path, got "${text}"`);
  return text;
}

function modeIds(text: string | undefined): ReadonlySet<number> | null {
  if (text === undefined) return null;
  const parts = text.split(",");
  if (!parts.every((part) => /^\d{1,3}$/.test(part)))
    throw new UsageError(`--modes: expected mode ids like 0,1,2, got "${text}"`);
  return new Set(parts.map(Number));
}

export const powerHelperCommand: Command = {
  summary: "set the power mode whose id is read from standard input, for an agent without that right (see deploy/)",
  usage: "[--conf FILE] [--nvpmodel FILE] [--modes 0,1,2]",
  optionsOnly: true,
  hidden: true,
  options: {
    conf: { value: "FILE", help: "the board's list of modes (default: /etc/nvpmodel.conf)" },
    nvpmodel: { value: "FILE", help: "the tool (default: /usr/sbin/nvpmodel)" },
    modes: { value: "IDS", help: "only these modes (default: all in the list)" },
  },
  async run(values) {
    const log = createLogger("power-helper", "info");
    const result = await answerModeRequest(Bun.stdin.stream(), {
      confPath: absolutePath(optionalString(values, "conf") ?? "/etc/nvpmodel.conf", "conf"),
      nvpmodelPath: absolutePath(optionalString(values, "nvpmodel") ?? "/usr/sbin/nvpmodel", "nvpmodel"),
      allowedIds: modeIds(optionalString(values, "modes")),
      requestTimeoutMs,
      commandTimeoutMs,
    });
    if (result.kind === "set") log.info("a power mode was set");
    else log.warn({ reason: result.reason }, "no power mode was set");
    try {
      writeSync(1, `${JSON.stringify(result)}\n`);
    } catch {
      // The client disconnected; the journal has the answer.
    }
    await Bun.sleep(restMs);
    return result.kind === "set" ? 0 : 1;
  },
};
