import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import type { Trace as RecordedTrace } from "#forecast/data/parse-trace.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { createClock } from "#platform/clock.ts";
import { UsageError } from "#platform/errors.ts";
import { hourMs } from "#platform/time.ts";
import { version } from "#platform/version.ts";
import type { DemoOptions } from "./demo-options.ts";
import { demoBoards, fleetCapacityQps } from "./fleet/demo-fleet.ts";
import { FleetProcesses } from "./fleet/fleet-processes.ts";
import { findFreePorts } from "./fleet/free-ports.ts";
import { planScale } from "./fleet/plan-scale.ts";
import { sendOptions, startCloud, startFleet } from "./fleet/start-fleet.ts";
import { secondActFromMs } from "./second-act.ts";
import { type ReplaySurroundings, replayTrace } from "./traffic/replay-trace.ts";
import { createTexts } from "./traffic/texts.ts";
import { dayStartMs, defaultDayMs, loadTrace, requestsInMinute, requestsPerMinute } from "./traffic/trace.ts";
import { createZipf } from "./traffic/zipf.ts";
import { championOf, measureForecasts } from "./view/forecast-accuracy.ts";
import { formatClock, formatTime, scaleToText } from "./view/format.ts";
import { buildReport, type DemoReport, type MachineFacts } from "./view/report.ts";
import type { CostView } from "./view/snapshot.ts";

/**
 * Share of the fleet's capacity for the busiest quarter of an hour. In the second act it is a little more than the slower boards carry: what they
 * can't is bought outside.
 */
const peakUtilization = 0.45;
/** Limits of real requests per second: more would show nothing new. */
const maxAverageQps = 75;
const maxPeakQps = 150;
/** With less in the busiest quarter of an hour a minute has a handful of texts, and chance alone makes a rise; a machine that is busy just now measures as little. */
const minPeakQps = 20;
/** Share of one agent's measured rate for the busiest quarter of an hour: forecasts and the overhead of four agents need the rest. */
const shareOfMeasuredQps = 0.7;

const textCount = 4_000;
const textExponent = 1;
const seed = 1995;

const nothing = { energyKwh: 0, costUsd: 0, energyUsd: 0, amortisationUsd: 0, offersUsd: 0 };
const nothingSpent: CostView = { run: nothing, reference: nothing };

/** Error of Ctrl-C before there was anything to report. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted while starting");
    this.name = "Interrupted";
  }
}

function textSource(): () => string {
  // Of similar length: boards are paced by the text, and their agents measure tokens.
  const texts = createTexts(textCount, seed).filter(({ length }) => length >= 55 && length <= 72);
  const random = seededRandom(seed);
  const draw = createZipf(texts.length, textExponent);
  return () => texts[draw(random())] as string;
}

function machineFacts(measuredQps: number): MachineFacts {
  return {
    cpus: cpus().length,
    cpuModel: cpus()[0]?.model.trim() ?? "unknown",
    platform: `${process.platform}-${process.arch}`,
    measuredQps: Math.round(measuredQps),
  };
}

/**
 * Runs a fleet on this machine and replays a trace against it. Its processes are always stopped.
 * @param recorded null: the built-in trace
 * @throws UsageError for options that don't fit the trace, FleetFailure when a process fails, Interrupted when stopped while starting
 */
export async function runDemo(
  options: DemoOptions,
  recorded: RecordedTrace | null,
  surroundings: ReplaySurroundings,
): Promise<DemoReport> {
  const { progress, stopped } = surroundings;
  const { name: traceName, trace } = await loadTrace(recorded);
  const dayMs = options.day === undefined ? defaultDayMs(trace) : dayStartMs(trace, options.day);
  const fromMs = dayMs + options.fromHour * hourMs;
  const toMs = fromMs + options.hours * hourMs;
  const secondActMs = secondActFromMs(fromMs, toMs);
  const minuteRequests = requestsPerMinute(trace, fromMs, Math.ceil(options.hours * 60));
  if (!minuteRequests.some((requests) => requests > 0)) {
    throw new UsageError(`the trace has no requests from ${formatClock(fromMs)} to ${formatClock(toMs)}`);
  }
  const boards = demoBoards(options.agents);
  const nextText = textSource();

  const directory = await mkdtemp(join(tmpdir(), "thormesh-demo-"));
  const processes = new FleetProcesses(directory);
  const unlessStopped = <T>(work: Promise<T>): Promise<T> => {
    const interruption = stopped.then((): never => {
      throw new Interrupted();
    });
    return Promise.race([work, interruption]);
  };
  let keepState = true;
  // However this process ends, it leaves nothing behind.
  const atExit = () => {
    processes.killAll();
    if (!options.keepState) rmSync(directory, { recursive: true, force: true });
  };
  process.on("exit", atExit);
  try {
    progress.say("measuring how fast this machine is");
    const [cloudPort = 0, unusedBroker = 0, ...ports] = await findFreePorts(boards.length + 5, Math.random);
    const cloudPorts = { agent: cloudPort, unusedBroker };
    const machine = await unlessStopped(startCloud(processes, directory, cloudPorts, nextText));
    progress.say(`this machine: one agent answers ${machine.qps.toFixed(0)} requests/s`);
    const limitQps = Math.max(minPeakQps, machine.qps * shareOfMeasuredQps);
    const scale = planScale({
      minuteRequests,
      speed: options.speed,
      fleetCapacityQps: fleetCapacityQps(boards),
      peakUtilization,
      maxAverageRealQps: Math.min(maxAverageQps, limitQps),
      maxPeakRealQps: Math.min(maxPeakQps, limitQps),
    });
    if (scale === null) throw new Error("a trace with requests has no scale. This is a bug.");
    progress.say(`scale: ${scaleToText(scale, options.speed)}`);

    // The clock reaches the start of the window when the fleet should be ready.
    const leadMs = 1_000 + machine.startMs * (1 + boards.length / cpus().length);
    const clockConfig = {
      speed: options.speed,
      anchorRealMs: Date.now(),
      startMs: Math.round(fromMs - leadMs * options.speed),
    };
    const plan = {
      directory,
      boards,
      ports,
      clock: clockConfig,
      capacityScale: scale.capacityScale,
      cloudUrl: machine.url,
      slowFromMs: secondActMs,
      // The controller decides nothing before there is traffic.
      warmUpRealMs: leadMs + 4_000,
    };
    const { controller, entryUrl, agents } = await unlessStopped(
      startFleet(processes, plan, (line) => progress.say(line)),
    );
    progress.say(`traffic: ${traceName}, ${formatClock(fromMs)} to ${formatTime(toMs)} UTC`);
    const realRequests = (minuteStartMs: number) => requestsInMinute(trace, minuteStartMs) * scale.demandFactor;
    const replay = await replayTrace(
      processes,
      {
        clock: createClock(clockConfig),
        ...{ controller, entryUrl, agents },
        boards,
        scale,
        requestsInMinute: realRequests,
        secondActMs,
        toMs,
        forever: !options.once,
        nextText,
        sendOptions,
      },
      surroundings,
    );
    keepState = options.keepState;
    const { fleet, training, acts } = replay;
    return buildReport({
      version,
      machine: machineFacts(machine.qps),
      traceName,
      clock: { fromMs: replay.fromMs, toMs: replay.toMs, speed: options.speed },
      durationS: replay.durationS,
      scale,
      agents: boards.length,
      traffic: replay.traffic,
      acts,
      routes: fleet.routes,
      capacities: fleet.capacities,
      decisions: fleet.decisions,
      modeSwitches: fleet.modeSwitches,
      cost: fleet.cost ?? nothingSpent,
      paidBy: fleet.paidBy,
      trainings: [...training.ended(), ...training.unfinished(replay.toMs)],
      trainingsAwaited: training.awaited(),
      liveAccuracy: fleet.forecastAccuracy,
      champion: championOf(fleet.forecasts),
      forecasts: measureForecasts(fleet.forecasts, (atMs) => realRequests(atMs) / 60, replay.fromMs, replay.toMs),
    });
  } catch (error) {
    if (error instanceof Interrupted) keepState = options.keepState;
    throw error;
  } finally {
    progress.finish();
    const killed = await processes.stopAll((child) => child.name.split(" ")[0] ?? "");
    for (const name of killed) progress.say(`${name} did not stop by itself and was killed`);
    if (keepState) progress.say(`configurations, logs and databases: ${directory}`);
    else await rm(directory, { recursive: true, force: true });
    process.off("exit", atExit);
  }
}
