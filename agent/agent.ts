import { hostname } from "node:os";
import { type Clock, createClock, systemClock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { createLogger, type Logger } from "#platform/log.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import { minuteMs } from "#platform/time.ts";
import { type AgentParts, createAgentParts } from "./agent-parts.ts";
import type { AgentConfig } from "./config.ts";
import { adoptIdentity } from "./enrolment/adopt-identity.ts";
import { type DeviceIdentity, readIdentity } from "./enrolment/device-identity.ts";
import { type AgentIdentity, agentIdFromHostname } from "./identity.ts";

const powerPeriodMs = 15_000;
const updatesPeriodMs = 2_000;
const trainingPeriodMs = 2_000;
const measuringPeriodMs = 2_000;
const openFilesPeriodMs = 5_000;
const beatTickMs = 1_000;
/** At a clock that is faster than the real one. */
const minBeatTickRealMs = 100;
/** Time that a start waits for a certificate with the names that the agent serves under. */
const namesWaitMs = 5_000;
/** Time for the broker to take the last records at an orderly end; the rest is sent at the next start. */
const farewellMs = 1_000;
/** The same with records that are only in memory, and lost if the broker does not take them. */
const longFarewellMs = 10_000;

/** The service on a device. Nothing happens before `start`. */
export class Agent {
  readonly #config: AgentConfig;
  readonly #stateDir: string;
  readonly #joined: DeviceIdentity | null;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #identity: AgentIdentity;
  readonly #startedAtMs: number;
  #running: AgentParts | undefined;
  readonly #tasks: PeriodicTask[] = [];

  /** @throws UsageError when the device has joined a fleet and its identity can't be used, or contradicts the configuration. */
  constructor(configured: AgentConfig) {
    this.#stateDir = configured.stateDir ?? defaultStateDir("agent", process.env);
    this.#joined = readIdentity(this.#stateDir);
    const config = adoptIdentity(configured, this.#joined);
    this.#config = config;
    this.#clock = createClock(config.clock);
    this.#log = createLogger("agent", config.logLevel);
    const agentId = config.id ?? agentIdFromHostname(hostname());
    this.#identity = { fleet: config.fleet, agentId, bootId: crypto.randomUUID(), region: config.region };
    this.#startedAtMs = this.#clock.nowMs();
  }

  /**
   * Resolves when the agent listens; serving waits for neither broker nor controller.
   * @throws UsageError when port, address, model or state directory can't be used.
   */
  async start(): Promise<void> {
    const stateDir = this.#stateDir;
    const parts = createAgentParts({
      config: this.#config,
      clock: this.#clock,
      log: this.#log,
      identity: this.#identity,
      startedAtMs: this.#startedAtMs,
      stateDir,
      joined: this.#joined,
    });
    this.#running = parts;
    const { power, serving, forecaster, cycle, member, broker, membership } = parts;
    try {
      await power.start();
      // Clients should find the names that they ask for in the certificate; without the controller they wait for that, not for the service.
      if (parts.renewal !== null && parts.renewal.lacking().length > 0)
        await Promise.race([parts.renewal.evaluate(), Bun.sleep(namesWaitMs)]);
      await serving.start();
    } catch (error) {
      await serving.stop();
      await power.stop();
      parts.state.close();
      throw error;
    }
    await forecaster.start();
    cycle.recover();
    member.start();
    // A device that slept through the end of its certificate gets the next one before it connects.
    void parts.renewal?.evaluate();
    await broker.start();
    this.#schedule(parts);
    await parts.door.start();
    const { url, grpcAddress: grpc } = serving;
    this.#log.info({ url, grpc, ...this.#identity, stateDir, role: membership.role }, "agent started");
  }

  /** Finishes what is in flight, sends what it can of its record, and disconnects from the fleet. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    const { state, storage, outbox, serving, tracing, cycle, member, power, nightTraining, forecaster, estimates } =
      this.#running;
    this.#running.door.stop();
    // Before the role changes: clients that have not heard of the stop yet must still be served.
    serving.announceStop();
    await member.announceStop();
    await Promise.all(this.#tasks.map((task) => task.stop()));
    await serving.stop();
    await tracing?.stop();
    cycle.finish();
    await Promise.race([member.drainOutbox(), Bun.sleep(outbox.unwritten() > 0 ? longFarewellMs : farewellMs)]);
    await member.leave();
    await power.stop();
    await nightTraining.stop();
    await forecaster.stop();
    estimates.save();
    storage.retry();
    if (outbox.unwritten() > 0)
      this.#log.error(
        { records: outbox.unwritten() },
        "RECORDS ARE LOST: they could neither be sent nor written before the process ended",
      );
    state.close();
    this.#log.info("stopped");
  }

  #schedule({ member, nightTraining, capacity, estimates, utilization, beats, openFiles, renewal }: AgentParts): void {
    const clock = this.#clock;
    const onError = (what: string) => (error: unknown) =>
      this.#log.error({ err: describeError(error) }, `${what} failed`);
    this.#tasks.push(
      runPeriodically(clock, minuteMs, () => member.endMinute(), onError("ending the minute")),
      // Real seconds, whatever the clock's speed: the models compute in real time.
      runPeriodically(
        systemClock,
        measuringPeriodMs,
        async () => {
          await utilization.sample();
          capacity.observe();
        },
        onError("measuring load and capacity"),
      ),
      runPeriodically(
        clock,
        Math.max(beatTickMs, minBeatTickRealMs * clock.speed),
        () => beats.tick(),
        onError("beats"),
      ),
      runPeriodically(systemClock, updatesPeriodMs, () => member.evaluateUpdates(), onError("following an update")),
      runPeriodically(systemClock, openFilesPeriodMs, () => openFiles.look(), onError("counting open files")),
      // Certificates know the machine's clock alone.
      runPeriodically(systemClock, minuteMs, async () => renewal?.evaluate(), onError("renewing the certificate")),
      runPeriodically(systemClock, minuteMs, () => estimates.save(), onError("storing the capacity")),
      runPeriodically(clock, powerPeriodMs, () => member.evaluateSleep(), onError("sleeping and waking")),
      runPeriodically(
        clock,
        powerPeriodMs,
        () => member.evaluatePower(),
        onError("choosing the power mode"),
        powerPeriodMs / 2,
      ),
      // Real seconds, whatever the clock's speed: requests that wait now must not wait for a training.
      runPeriodically(systemClock, trainingPeriodMs, () => nightTraining.evaluate(), onError("training")),
    );
  }
}
