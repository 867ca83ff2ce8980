import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Calendar } from "#forecast/data/calendar.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import { describeError } from "#platform/errors.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import type { Logger } from "#platform/log.ts";
import { type AnswerWatch, createAnswerWatch, tickFor } from "#platform/process/answer-watch.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { endProcess } from "#platform/process/end-process.ts";
import { isProcessStopped } from "#platform/process/is-process-stopped.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { countWindows, type RecordWindows, usableMinutes } from "./count-windows.ts";
import { decideNightTraining } from "./decide-night-training.ts";
import type { NightTrainingConfig } from "./night-training-config.ts";
import type { TrainerTask } from "./run-trainer.ts";
import type { TextMemory, TrainedModels } from "./trained-models.ts";
import type { TrainerMessage, TrainerOrder } from "./trainer-messages.ts";

/** How the last training ended. */
export interface TrainingOutcome {
  readonly kind: "promoted" | "kept" | "failed" | "stopped";
  readonly reason: string;
  readonly endedAtMs: number;
}

export interface TrainingStatus {
  readonly state: "waiting" | "training" | "resting";
  /** Why it is so. */
  readonly reason: string;
  /** Of the training under way; null while none is. */
  readonly progress: {
    readonly epoch: number;
    readonly batch: number;
    readonly batches: number;
    readonly loss: number | null;
    readonly validationLoss: number | null;
    readonly rssBytes: number | null;
    readonly pid: number;
  } | null;
  readonly last: TrainingOutcome | null;
  /** The directory of the model that this device trained and serves with; null: the configured or carried one. */
  readonly activeModel: string | null;
}

export interface NightTrainingParts {
  readonly config: NightTrainingConfig;
  readonly timeZone: string;
  readonly holidays: readonly string[];
  readonly calendar: Calendar;
  /** For the trace and the checkpoint. */
  readonly directory: string;
  readonly models: TrainedModels;
  /** The configured model; null: the one that the program carries. */
  readonly configuredModelDirectory: string | null;
  /** The whole record, one row a minute. */
  readonly history: () => readonly MinuteRate[];
  readonly recordedMinutes: () => number;
  readonly busy: () => boolean;
  /** Told of a new model in service. */
  readonly onPromoted: () => Promise<void>;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Keeps how the last training ended, so that a restart in the night begins no other one. */
  readonly memory?: TextMemory;
  /** Told of a trainer that was killed because nothing came of it. */
  readonly onHang?: (reason: string) => void;
  /** A trainer that sends nothing for this long while it may train is killed. */
  readonly silenceMs?: number;
  /** Started instead of this program's own trainer; for tests. */
  readonly command?: (task: TrainerTask) => readonly string[];
}

export interface NightTraining {
  /** Starts, rests, goes on or stops as the moment demands. To be called every few seconds. */
  evaluate(): Promise<void>;
  /** Ends a training under way; its checkpoint stays. */
  stop(): Promise<void>;
  /** Takes the model before into service again. */
  rollBack(): Promise<void>;
  status(): TrainingStatus;
  /** Trainings since the start, by how they ended. */
  outcomes(): Readonly<Record<TrainingOutcome["kind"], number>>;
}

const minuteMs = 60_000;
/** A batch takes seconds, and an epoch's judgement little longer; a busy machine may keep an idle process waiting. */
const maxSilenceMs = 15 * minuteMs;
/** A checkpoint's trace is this old at most when it is gone on from; an older one would leave too much out. */
const maxTraceAgeMs = 48 * 60 * minuteMs;
/** A month's record is not read anew every few seconds while it does not suffice. */
const countAgainMs = 10 * minuteMs;

/**
 * With the scheduler's idle class, where the system's chrt can give it: a request that wakes takes the core at once. The niceness that
 * the process gives itself only makes its share small, and a request may wait a slice of it.
 */
function ownCommand(task: TrainerTask): string[] {
  const chrt = task.priority === "idle" ? Bun.which("chrt") : null;
  const idle = chrt === null ? [] : [chrt, "--idle", "0"];
  return [...idle, ...selfCommand(), "forecast-trainer", "--task", JSON.stringify(task)];
}

const StoredOutcome = Type.Object({
  kind: Type.Union((["promoted", "kept", "failed", "stopped"] as const).map((kind) => Type.Literal(kind))),
  reason: Type.String({ maxLength: 4096 }),
  endedAtMs: Type.Number({ minimum: 0, maximum: 4_102_444_800_000 }),
});

function readOutcome(memory: TextMemory): TrainingOutcome | null {
  try {
    const stored: unknown = JSON.parse(memory.load() ?? "null");
    return Value.Check(StoredOutcome, stored) ? stored : null;
  } catch {
    return null; // not what this program wrote: as if none had ended
  }
}

/** The record as a trace: a line a minute from the first request on, gaps left out. */
export function renderTrace(history: readonly MinuteRate[]): string {
  const lines = usableMinutes(history).flatMap(({ minuteStartMs, texts }) =>
    texts === null ? [] : [`${new Date(minuteStartMs).toISOString()},${texts}`],
  );
  return `timestamp,value\n${lines.join("\n")}\n`;
}

/** Trains a model of this device's own traffic at night, in a process of its own. Nothing happens before `evaluate`. */
export function createNightTraining(parts: NightTrainingParts): NightTraining {
  const { config, directory, models, log, nowMs } = parts;
  const tracePath = join(directory, "trace.csv");
  const checkpointPath = join(directory, "checkpoint.json");
  const counts = { promoted: 0, kept: 0, failed: 0, stopped: 0 };
  let child: { readonly process: Bun.Subprocess; readonly name: string } | undefined;
  let watch: AnswerWatch | undefined;
  let starting = false;
  let stopReason: string | undefined;
  let resting = false;
  let progress: TrainingStatus["progress"] = null;
  let last: TrainingOutcome | null = parts.memory === undefined ? null : readOutcome(parts.memory);
  let reason = "not asked yet";
  let counted: { readonly atMs: number; readonly windows: RecordWindows } | undefined;
  let verdict: Extract<TrainerMessage, { kind: "done" | "failed" }> | undefined;

  const finish = (kind: TrainingOutcome["kind"], why: string) => {
    counts[kind] += 1;
    last = { kind, reason: why, endedAtMs: Math.round(nowMs()) };
    try {
      parts.memory?.save(JSON.stringify(last));
    } catch (error) {
      log.warn({ err: describeError(error) }, "how training ended can't be written down");
    }
    log[kind === "failed" ? "error" : "info"]({ outcome: kind, reason: why }, "training ended");
  };

  const silenceMs = parts.silenceMs ?? maxSilenceMs;
  const hang = (what: string) => {
    if (verdict !== undefined || stopReason !== undefined) return;
    verdict = { kind: "failed", reason: `the training process ${what}` };
    parts.onHang?.(what);
    child?.process.kill("SIGKILL");
  };
  const watchTrainer = (pid: number) => {
    let stoppedMs = 0;
    const tickMs = tickFor(silenceMs);
    watch = createAnswerWatch({
      tickMs,
      onSilent: (waitedMs) => hang(`sent nothing for ${Math.round(waitedMs / 1000)} s: killed`),
      onTick() {
        stoppedMs = isProcessStopped(pid) ? stoppedMs + tickMs : 0;
        if (stoppedMs > Math.min(silenceMs / 2, minuteMs)) hang("was stopped by a signal and not resumed: killed");
      },
    });
    watch.begin(silenceMs);
  };

  const take = (message: TrainerMessage) => {
    if (message === null || typeof message !== "object") return hang("sent something that is not a message: killed");
    if (!resting) watch?.begin(silenceMs);
    switch (message.kind) {
      case "resumed":
        log.info({ epoch: message.epoch }, "training goes on where it was left");
        break;
      case "unsaved":
        log.warn({ reason: message.reason }, "training goes on, but could not be resumed");
        break;
      case "batch": {
        const { epoch, batch, batches, loss } = message;
        if (progress !== null) progress = { ...progress, epoch, batch, batches, loss };
        break;
      }
      case "epoch": {
        const { epoch, trainingLoss, validationLoss, outcome } = message.report;
        log.info({ epoch, trainingLoss, validationLoss, outcome }, "trained an epoch");
        if (progress !== null) progress = { ...progress, validationLoss, rssBytes: message.rssBytes };
        if (message.rssBytes > config.maxMemoryBytes) {
          verdict = { kind: "failed", reason: `${message.rssBytes} bytes of memory, ${config.maxMemoryBytes} allowed` };
          child?.process.kill("SIGKILL");
        }
        break;
      }
      case "done":
      case "failed":
        verdict ??= message;
        break;
      default:
        message satisfies never;
    }
  };

  const conclude = async (name: string, code: number, signal: NodeJS.Signals | number | null) => {
    const said = verdict;
    if (said?.kind === "done" && said.decision.kind === "promote") {
      await models.promote(name);
      finish("promoted", said.decision.reason);
      await parts.onPromoted();
    } else if (said?.kind === "done") {
      await models.removeOthers();
      finish("kept", said.decision.reason);
    } else if (stopReason !== undefined) {
      finish("stopped", stopReason);
    } else {
      // What made it fail may lie in its checkpoint; one that was killed from outside goes on from it the next night.
      const killed = said === undefined && signal !== null;
      if (!killed) await rm(checkpointPath, { force: true });
      finish(
        "failed",
        said?.reason ?? `the training process ${killed ? `was ended by ${signal}` : `ended with ${code}`}`,
      );
    }
  };

  /** When the trace ends that an unfinished training is of; NaN where there is none. */
  const traceEndMs = async () => {
    const text = await readRegularText(tracePath).catch(() => "");
    return Date.parse(text.trimEnd().split("\n").at(-1)?.split(",")[0] ?? "");
  };

  /** Whether an unfinished training is there to be gone on with. */
  const canGoOn = async () =>
    (await Bun.file(checkpointPath).exists()) && Math.abs(nowMs() - (await traceEndMs())) < maxTraceAgeMs;

  const recentWindows = () => {
    const now = nowMs();
    if (counted === undefined || Math.abs(now - counted.atMs) >= countAgainMs) {
      counted = { atMs: now, windows: countWindows(parts.history()) };
    }
    return counted.windows;
  };

  const start = async (goesOn: boolean) => {
    await mkdir(directory, { recursive: true });
    const now = nowMs();
    if (!goesOn) {
      await rm(checkpointPath, { force: true });
      await Bun.write(tracePath, renderTrace(parts.history()));
    }
    const name = String(Math.round(now));
    const task: TrainerTask = {
      tracePath,
      outputDirectory: models.directoryOf(name),
      checkpointPath,
      incumbentDirectory: models.activeDirectory() ?? parts.configuredModelDirectory,
      units: config.units,
      maxMs: config.maxMinutes * minuteMs,
      priority: config.priority,
      timeZone: parts.timeZone,
      holidays: parts.holidays,
    };
    verdict = undefined;
    stopReason = undefined;
    resting = false;
    const launched = Bun.spawn([...(parts.command ?? ownCommand)(task)], {
      env: childEnvironment("worker"),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "inherit",
      serialization: "advanced",
      ipc: (message: TrainerMessage) => take(message),
    });
    child = { process: launched, name };
    watchTrainer(launched.pid);
    progress = { epoch: 0, batch: 0, batches: 0, loss: null, validationLoss: null, rssBytes: null, pid: launched.pid };
    log.info({ pid: launched.pid, reason, incumbent: task.incumbentDirectory ?? "carried" }, "training begins");
    concluded = launched.exited.then(async (code) => {
      try {
        await conclude(name, code, launched.signalCode);
      } catch (error) {
        finish("failed", describeError(error));
      } finally {
        watch?.stop();
        watch = undefined;
        child = undefined;
        progress = null;
      }
    });
  };
  let concluded: Promise<void> = Promise.resolve();

  const end = (why: string) => {
    stopReason ??= why;
    child?.process.kill("SIGKILL"); // its checkpoint is written as a whole, so nothing is lost but the epoch under way
  };
  const order = (kind: TrainerOrder["kind"]) => {
    resting = kind === "rest";
    if (resting) watch?.end();
    else watch?.begin(silenceMs);
    child?.process.send({ kind } satisfies TrainerOrder);
  };

  return {
    async evaluate() {
      if (starting) return;
      const now = nowMs();
      const moment = parts.calendar(now);
      const situation = {
        enabled: config.enabled,
        minuteOfDay: Math.floor(moment.hour * 60 + 1e-6),
        window: config.window,
        nowMs: now,
        running: child !== undefined,
        busy: parts.busy(),
        // One that was cut short goes on as soon as it may.
        lastEndedMs: last === null || last.kind === "stopped" ? null : last.endedAtMs,
        recordedMinutes: parts.recordedMinutes(),
        neededMinutes: Math.ceil(config.minDays * 24 * 60),
        windows: null,
      };
      const decision = decideNightTraining(situation);
      if (decision.kind !== "start") reason = decision.reason;
      if (decision.kind === "start") {
        starting = true;
        try {
          const goesOn = await canGoOn();
          const withRecord = decideNightTraining({ ...situation, windows: goesOn ? null : recentWindows() });
          reason = withRecord.reason;
          if (withRecord.kind === "start") await start(goesOn);
        } catch (error) {
          finish("failed", describeError(error));
        } finally {
          starting = false;
        }
      } else if (decision.kind === "stop") end(decision.reason);
      else if (decision.kind === "rest" && !resting) order("rest");
      else if (decision.kind === "go-on" && resting) order("go-on");
    },
    async stop() {
      const running = child?.process;
      end("the agent stops");
      if (running !== undefined) await endProcess(running, 0);
      if (running?.exitCode !== null || running.signalCode !== null) await concluded;
    },
    async rollBack() {
      models.rollBack();
      log.info({ model: models.activeDirectory() ?? "configured" }, "the forecasting model before serves again");
      await parts.onPromoted();
    },
    status: () => ({
      state: child === undefined ? "waiting" : resting ? "resting" : "training",
      reason,
      progress,
      last,
      activeModel: models.activeDirectory(),
    }),
    outcomes: () => ({ ...counts }),
  };
}
