import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Value } from "@sinclair/typebox/value";
import type { Calendar } from "#forecast/data/calendar.ts";
import type { MinuteRate, TextMemory } from "#forecast/forecaster.ts";
import { describeError } from "#platform/errors.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import type { Logger } from "#platform/log.ts";
import type { WorkerLoss } from "#platform/process/child-worker.ts";
import { minuteMs } from "#platform/time.ts";
import type { RegionTariff } from "#protocol/messages.ts";
import { compareHours, minuteOfDayBy } from "./compare-hours.ts";
import { decideNightTraining, type TrainingSituation } from "./decide-night-training.ts";
import { explainNightTraining, explainPromotion } from "./explain-night-training.ts";
import type { HourPrices } from "./hour-prices.ts";
import type { NightTrainingConfig } from "./night-training-config.ts";
import type { TrainedModels } from "./trained-models.ts";
import type { TrainerMessage, TrainerTask } from "./trainer-messages.ts";
import { TrainerProcess } from "./trainer-process.ts";
import { countWindows, type RecordWindows, renderTrace, traceEndMs } from "./training-record.ts";
import { TrainingOutcome, type TrainingStatus } from "./training-status.ts";

export interface NightTrainingParts {
  readonly config: NightTrainingConfig;
  readonly timeZone: string;
  readonly holidays: readonly string[];
  readonly calendar: Calendar;
  /** Directory for the trace and the checkpoint. */
  readonly directory: string;
  readonly models: TrainedModels;
  /** The configured model; null: the built-in one. */
  readonly configuredModelDirectory: string | null;
  /** The whole record, one row a minute. */
  readonly history: () => readonly MinuteRate[];
  readonly recordedMinutes: () => number;
  readonly busy: () => boolean;
  /** Price of electricity here by the hour; null: unknown. */
  readonly tariff?: () => RegionTariff | null;
  /** Called after another model was put into service. */
  readonly onPromoted: () => Promise<void>;
  /** Called with trees that were fitted to the record, as text. */
  readonly onTrees: (text: string) => void;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Keeps the last outcome, so that a restart in the night starts no second training. */
  readonly memory?: TextMemory;
  /** Called when a hanging trainer was killed. */
  readonly onHang?: (reason: string) => void;
  /** A trainer that sends nothing for this long while it may train is killed. */
  readonly silenceMs?: number;
  /** Command started instead of this program's own trainer; for tests. */
  readonly command?: (task: TrainerTask) => readonly string[];
}

/** A batch takes seconds, and validation little longer; a busy machine may keep an idle process waiting. */
const maxSilenceMs = 15 * minuteMs;
/** Maximum age of a checkpoint's trace to be resumed; an older one would leave too much out. */
const maxTraceAgeMs = 48 * 60 * minuteMs;
/** Interval at which a record that is too short is read again. */
const countAgainMs = 10 * minuteMs;

function readOutcome(memory: TextMemory): TrainingOutcome | null {
  try {
    const stored: unknown = JSON.parse(memory.load() ?? "null");
    return Value.Check(TrainingOutcome, stored) ? stored : null;
  } catch {
    return null; // not written by this program
  }
}

/** A training under way. */
interface Run {
  readonly name: string;
  readonly trainer: TrainerProcess;
  progress: NonNullable<TrainingStatus["progress"]>;
  /** Result that the trainer sent, or the failure for which it was killed. */
  verdict: Extract<TrainerMessage, { kind: "done" | "failed" }> | null;
  stopReason: string | null;
}

/** Trains a model of this device's own traffic at night, in a separate process. Nothing happens before `evaluate`. */
export class NightTraining {
  readonly #parts: NightTrainingParts;
  readonly #tracePath: string;
  readonly #checkpointPath: string;
  readonly #outcomes = { promoted: 0, kept: 0, failed: 0, stopped: 0 };
  #starting = false;
  #run: Run | null = null;
  #concluded: Promise<void> = Promise.resolve();
  #last: TrainingOutcome | null;
  #reason = "not evaluated yet";
  #hours: HourPrices | null = null;
  #counted: { readonly atMs: number; readonly windows: RecordWindows } | null = null;

  constructor(parts: NightTrainingParts) {
    this.#parts = parts;
    this.#tracePath = join(parts.directory, "trace.csv");
    this.#checkpointPath = join(parts.directory, "checkpoint.json");
    this.#last = parts.memory === undefined ? null : readOutcome(parts.memory);
  }

  /** Starts, pauses, resumes or stops a training as the situation demands. To be called every few seconds. */
  async evaluate(): Promise<void> {
    if (this.#starting) return;
    const situation = this.#situation();
    const decision = decideNightTraining(situation);
    if (decision.kind === "start") return await this.#tryToStart(situation);
    this.#reason = explainNightTraining(decision);
    const trainer = this.#run?.trainer;
    if (decision.kind === "stop") this.#end(this.#reason);
    else if (decision.kind === "rest" && trainer?.resting === false) trainer.rest();
    else if (decision.kind === "go-on" && trainer?.resting === true) trainer.goOn();
  }

  /** Stops a running training; its checkpoint stays. */
  async stop(): Promise<void> {
    this.#end("the agent stops");
    await this.#concluded;
  }

  /** Puts the previous model back into service. */
  async rollBack(): Promise<void> {
    const { models, log, onPromoted } = this.#parts;
    models.rollBack();
    log.info({ model: models.activeDirectory() ?? "configured" }, "the previous forecasting model is back in service");
    await onPromoted();
  }

  status(): TrainingStatus {
    const run = this.#run;
    return {
      state: run === null ? "waiting" : run.trainer.resting ? "resting" : "training",
      reason: this.#reason,
      progress: run?.progress ?? null,
      last: this.#last,
      electricity: this.#hours,
      activeModel: this.#parts.models.activeDirectory(),
    };
  }

  /** Returns the trainings since the start, by outcome. */
  outcomes(): Readonly<Record<TrainingOutcome["kind"], number>> {
    return { ...this.#outcomes };
  }

  #situation(): TrainingSituation {
    const { config, nowMs, calendar, busy, recordedMinutes, tariff } = this.#parts;
    const now = nowMs();
    const last = this.#last;
    this.#hours = this.#run === null ? compareHours(tariff?.() ?? null, config, now, calendar) : null;
    return {
      enabled: config.enabled,
      minuteOfDay: minuteOfDayBy(calendar, now),
      window: config.window,
      nowMs: now,
      running: this.#run !== null,
      busy: busy(),
      // A stopped training is resumed as soon as it may be.
      lastEndedMs: last === null || last.kind === "stopped" ? null : last.endedAtMs,
      recordedMinutes: recordedMinutes(),
      neededMinutes: Math.ceil(config.minDays * 24 * 60),
      windows: null,
      hours: this.#hours,
    };
  }

  async #tryToStart(situation: TrainingSituation): Promise<void> {
    this.#starting = true;
    try {
      const resumes = await this.#canResume();
      const decision = decideNightTraining({ ...situation, windows: resumes ? null : this.#recentWindows() });
      this.#reason = explainNightTraining(decision);
      if (decision.kind === "start") await this.#start(resumes);
    } catch (error) {
      this.#finish("failed", describeError(error));
    } finally {
      this.#starting = false;
    }
  }

  /** Tells if an unfinished training is there to be resumed. */
  async #canResume(): Promise<boolean> {
    if (!(await Bun.file(this.#checkpointPath).exists())) return false;
    const trace = await readRegularText(this.#tracePath).catch(() => "");
    return Math.abs(this.#parts.nowMs() - traceEndMs(trace)) < maxTraceAgeMs;
  }

  #recentWindows(): RecordWindows {
    const now = this.#parts.nowMs();
    if (this.#counted === null || Math.abs(now - this.#counted.atMs) >= countAgainMs) {
      this.#counted = { atMs: now, windows: countWindows(this.#parts.history()) };
    }
    return this.#counted.windows;
  }

  async #start(resumes: boolean): Promise<void> {
    const { config, directory, models, log, history, nowMs, silenceMs = maxSilenceMs, command } = this.#parts;
    await mkdir(directory, { recursive: true });
    const name = String(Math.round(nowMs()));
    if (!resumes) {
      await rm(this.#checkpointPath, { force: true });
      await Bun.write(this.#tracePath, renderTrace(history()));
    }
    const task: TrainerTask = {
      tracePath: this.#tracePath,
      outputDirectory: models.directoryOf(name),
      checkpointPath: this.#checkpointPath,
      incumbentDirectory: models.activeDirectory() ?? this.#parts.configuredModelDirectory,
      units: config.units,
      maxMs: config.maxMinutes * minuteMs,
      priority: config.priority,
      timeZone: this.#parts.timeZone,
      holidays: this.#parts.holidays,
    };
    const trainer: TrainerProcess = new TrainerProcess(task, {
      silenceMs,
      command,
      onMessage: (message) => this.#receive(run, message),
      onHang: (what) => this.#hang(run, what),
    });
    const { pid } = trainer;
    const progress = { epoch: 0, batch: 0, batches: 0, loss: null, validationLoss: null, rssBytes: null, pid };
    const run: Run = { name, trainer, progress, verdict: null, stopReason: null };
    this.#run = run;
    log.info({ pid, reason: this.#reason, incumbent: task.incumbentDirectory ?? "built-in" }, "training starts");
    this.#concluded = this.#awaitEnd(run);
  }

  async #awaitEnd(run: Run): Promise<void> {
    const loss = await run.trainer.ended();
    try {
      await this.#conclude(run, loss);
    } catch (error) {
      this.#finish("failed", describeError(error));
    } finally {
      this.#run = null;
    }
  }

  async #conclude({ name, verdict, stopReason }: Run, loss: WorkerLoss): Promise<void> {
    const { models, onPromoted } = this.#parts;
    if (verdict?.kind === "done" && verdict.decision.kind === "promote") {
      await models.promote(name);
      this.#finish("promoted", explainPromotion(verdict.decision));
      await onPromoted();
    } else if (verdict?.kind === "done") {
      await models.removeOthers();
      this.#finish("kept", explainPromotion(verdict.decision));
    } else if (stopReason !== null) {
      this.#finish("stopped", stopReason);
    } else {
      // The checkpoint may be what made it fail. A trainer killed from outside resumes from it the next night.
      if (verdict !== null || (loss.cause !== "signal" && loss.cause !== "memory"))
        await rm(this.#checkpointPath, { force: true });
      this.#finish("failed", verdict?.reason ?? `the training process ${loss.reason}`);
    }
  }

  #finish(kind: TrainingOutcome["kind"], reason: string): void {
    const { memory, nowMs, log } = this.#parts;
    this.#outcomes[kind] += 1;
    this.#last = { kind, reason, endedAtMs: Math.round(nowMs()) };
    try {
      memory?.save(JSON.stringify(this.#last));
    } catch (error) {
      log.warn({ err: describeError(error) }, "the outcome of the training can't be stored");
    }
    log[kind === "failed" ? "error" : "info"]({ outcome: kind, reason }, "training ended");
  }

  #end(reason: string): void {
    if (this.#run === null) return;
    this.#run.stopReason ??= reason;
    this.#run.trainer.kill();
  }

  #hang(run: Run, what: string): void {
    if (run.verdict !== null || run.stopReason !== null) return;
    run.verdict = { kind: "failed", reason: `the training process ${what}` };
    this.#parts.onHang?.(what);
  }

  #receive(run: Run, message: TrainerMessage): void {
    const { log } = this.#parts;
    switch (message.kind) {
      case "resumed":
        log.info({ epoch: message.epoch }, "training resumes from its checkpoint");
        break;
      case "trees":
        this.#parts.onTrees(message.text);
        break;
      case "no-trees":
        log.warn({ reason: message.reason }, "the trees were not fitted by the trainer: the forecaster fits its own");
        break;
      case "unsaved":
        log.warn({ reason: message.reason }, "training goes on without a checkpoint: it could not be resumed");
        break;
      case "batch": {
        const { epoch, batch, batches, loss } = message;
        run.progress = { ...run.progress, epoch, batch, batches, loss };
        break;
      }
      case "epoch": {
        const { epoch, trainingLoss, validationLoss, outcome } = message.report;
        log.info({ epoch, trainingLoss, validationLoss, outcome }, "trained an epoch");
        run.progress = { ...run.progress, validationLoss, rssBytes: message.rssBytes };
        this.#limitMemory(run, message.rssBytes);
        break;
      }
      case "done":
      case "failed":
        run.verdict ??= message;
        break;
      default:
        message satisfies never;
    }
  }

  #limitMemory(run: Run, rssBytes: number): void {
    const { maxMemoryBytes } = this.#parts.config;
    if (rssBytes <= maxMemoryBytes) return;
    run.verdict = { kind: "failed", reason: `${rssBytes} bytes of memory, ${maxMemoryBytes} allowed` };
    run.trainer.kill();
  }
}
