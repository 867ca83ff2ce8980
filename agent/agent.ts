import { hostname } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { accuracyWindows, registerAccuracyMetrics } from "#forecast/accuracy/accuracy-metrics.ts";
import { accuracyRoutes } from "#forecast/accuracy/accuracy-routes.ts";
import { createLiveAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { createForecaster } from "#forecast/create-forecaster.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { forecastRoutes } from "#forecast/forecast-routes.ts";
import { createNightTraining } from "#forecast/night/night-training.ts";
import { createTrainedModels } from "#forecast/night/trained-models.ts";
import { registerTrainingMetrics } from "#forecast/night/training-metrics.ts";
import { trainingRoutes } from "#forecast/night/training-routes.ts";
import { createClock, systemClock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { recentDamage } from "#platform/files/open-database.ts";
import { createStorageWatch, type StorageWatch } from "#platform/files/storage-watch.ts";
import { createCountedLog, createLogger } from "#platform/log.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import { createHungProcesses, describeHungProcesses } from "#platform/process/hung-processes.ts";
import { version } from "#platform/version.ts";
import { agentClientId } from "#protocol/broker-secret.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { Presence } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic } from "#protocol/topics.ts";
import { registerAgentMetrics } from "./agent-metrics.ts";
import { statusRoutes } from "./agent-status.ts";
import { createBrokerCredentials } from "./broker-credentials.ts";
import type { AgentConfig } from "./config.ts";
import { type AgentIdentity, agentIdFromHostname } from "./identity.ts";
import { createDesiredDocument } from "./mesh/desired-document.ts";
import { createMembership } from "./mesh/membership.ts";
import { createPeers } from "./mesh/peers.ts";
import { createAgentState } from "./open-state.ts";
import { createPower } from "./power/power.ts";
import { createSleep } from "./power/sleep/sleep.ts";
import { createSelfDescription } from "./self-description.ts";
import { pulledModelsDirectory } from "./serving/models/pulled-models-directory.ts";
import { Serving } from "./serving/serving.ts";
import { createTracing } from "./serving/tracing/request-tracer.ts";
import { createStoredText } from "./stored-text.ts";
import { createOutbox, lossCauses } from "./telemetry/outbox.ts";
import { createOutboxSender } from "./telemetry/outbox-sender.ts";
import { createReporter } from "./telemetry/reporter.ts";
import { createMinuteCycle } from "./traffic/minute-cycle.ts";
import { createTrafficRecord, minuteMs } from "./traffic/traffic-record.ts";

export interface Agent {
  /**
   * Resolves when the agent listens; serving waits for neither broker nor controller.
   * @throws UsageError when port, address, model or state directory can't be used.
   */
  start(): Promise<void>;
  /** Finishes what is in flight, sends what it can of its record, takes leave of the fleet. */
  stop(): Promise<void>;
}

const dayMs = 24 * 60 * minuteMs;
const powerPeriodMs = 15_000;
const trainingPeriodMs = 2_000;
/** Duration of a drain by command, unless a newer document comes first. */
const drainedForMs = 10 * minuteMs;
/** How long an orderly end waits for the broker to take the last records; what it doesn't take is sent at the next start. */
const farewellMs = 1_000;
/** Otherwise whatever could not be written would be lost. */
const longFarewellMs = 10_000;

function withDamage(check: ReturnType<StorageWatch["check"]>, damage: string | null): typeof check {
  return damage === null ? check : { status: "degraded", detail: `${check.detail}; ${damage}` };
}

/** Puts an agent together from its configuration. Nothing happens before `start`. */
export function createAgent(config: AgentConfig): Agent {
  const clock = createClock(config.clock);
  const nowMs = () => clock.nowMs();
  const log = createLogger("agent", config.logLevel);
  const { fleet } = config;
  const agentId = config.id ?? agentIdFromHostname(hostname());
  const identity: AgentIdentity = { fleet, agentId, bootId: crypto.randomUUID(), region: config.region };
  const startedAtMs = nowMs();
  const logFailure = (what: string) => (error: unknown) => log.error({ err: describeError(error) }, `${what} failed`);
  let stopRunning = async () => {};

  const start = async () => {
    const stateDir = config.stateDir ?? defaultStateDir("agent", process.env);
    const storage = createStorageWatch(log, lossCauses, nowMs);
    const statePath = join(stateDir, "agent.db");
    const state = createAgentState(statePath, log, nowMs);
    // Before all others: they can write again once the file is open.
    storage.keep({ flush: () => state.recover(), waiting: () => ({ records: 0, bytes: 0 }) });
    const { database } = state;
    const metrics = new Registry();
    const hung = createHungProcesses(["model", "forecast", "training"]);
    const record = createTrafficRecord(database, identity.bootId, nowMs(), nowMs, storage);
    const limits = { maxBytes: config.outbox.maxBytes, maxAgeMs: config.outbox.maxAgeDays * dayMs };
    const outbox = createOutbox(database, limits, storage, (minute) => record.markQueued(minute));
    const storedText = (name: string) => createStoredText(database, name, storage);
    const trainedModels = createTrainedModels(join(stateDir, "forecast-models"), storedText("forecast-models"));
    const forecaster = createForecaster({
      config: config.forecast,
      log,
      memory: storedText("forecast-champion"),
      trainedModelDir: () => trainedModels.activeDirectory(),
      onHang: (reason) => hung.record("forecast", reason),
    });
    const nightTraining = createNightTraining({
      config: config.forecast.training,
      timeZone: config.forecast.timeZone,
      holidays: config.forecast.holidays,
      calendar: createCalendar(config.forecast.timeZone, []),
      directory: join(stateDir, "forecast-training"),
      models: trainedModels,
      memory: storedText("forecast-training"),
      configuredModelDirectory: config.forecast.modelDir,
      history: () => record.recentRates(Math.ceil(config.recordRetentionDays * 24 * 60), nowMs()),
      recordedMinutes: () => record.recordedMinutes(),
      busy: () => serving.queueDepth() > 0,
      onPromoted: () => forecaster.reload(),
      onHang: (reason) => hung.record("training", reason),
      nowMs,
      log,
    });
    const accuracy = createLiveAccuracy(database, storage, (key, reason) =>
      log.warn({ key, reason }, "a stored forecast can't be read: removing it"),
    );
    const lostRecords = () => Object.values(storage.status().lost).reduce((sum, records) => sum + records, 0);
    const accuracyOf = (window: keyof typeof accuracyWindows) => accuracy.figures(accuracyWindows[window], nowMs());
    /** The model that most requests are for: the configured one, by its id where configuration has another name for it. */
    const servedModel = () => {
      const loaded = serving.loadedModels().map(({ id }) => id);
      return loaded.includes(config.serving.model) ? config.serving.model : (loaded[0] ?? config.serving.model);
    };
    const power = createPower({
      config: config.power,
      clock,
      log,
      metrics,
      stateDir,
      model: servedModel,
      memory: storedText("power-corrections"),
    });
    const membership = createMembership({
      configuredRole: config.role,
      document: createDesiredDocument(database, nowMs, log, storage),
      peers: createPeers({ ownAgentId: agentId, brokerUrl: config.broker.url }),
      brokerConnected: () => broker.connected,
      nowMs,
      log,
    });

    const tracing = createTracing(config.serving.tracing, { version, agentId, fleet }, log);
    const serving = new Serving({
      config: config.serving,
      log,
      clock,
      gate: power.gate,
      sink: record,
      role: membership,
      metrics,
      version,
      tracing,
      pulledModels: pulledModelsDirectory(stateDir),
      fingerprints: join(stateDir, "model-fingerprints"),
      onHang: (reason) => hung.record("model", reason),
      extraChecks: () => ({
        power: power.health(),
        processes: describeHungProcesses(hung),
        storage: withDamage(storage.check(), recentDamage(statePath, nowMs())),
      }),
      extraRoutes: [
        accuracyRoutes("agent", accuracyOf),
        trainingRoutes(() => nightTraining),
        forecastRoutes(() => cycle.lastForecast(), forecaster.describe),
        statusRoutes(() => ({
          agentId,
          fleet,
          bootId: identity.bootId,
          version,
          nowMs: Math.round(nowMs()),
          startedAtMs: Math.round(startedAtMs),
          role: membership.decision,
          broker: { url: redactUrl(config.broker.url), connected: broker.connected, problem: broker.problem },
          controllerOnline: membership.controllerOnline,
          peers: membership.servingPeers(),
          liveQps: record.liveQps(nowMs()),
          forecast: cycle.lastForecast(),
          forecaster: forecaster.describe(),
          forecastAccuracy: accuracyOf("24h"),
          forecastTraining: nightTraining.status(),
          power: power.status(),
          outbox: { ...outbox.size(), droppedRecords: lostRecords() },
          storage: storage.status(),
        })),
      ],
    });

    const self = createSelfDescription({ identity, config, serving, power, membership, nowMs });

    const broker = new MqttBroker(
      {
        url: config.broker.url,
        clientId: agentClientId(fleet, agentId),
        credentials: createBrokerCredentials({
          broker: config.broker,
          fleet,
          agentId,
          environment: process.env,
          counted: createCountedLog(log, Date.now),
        }),
        refusedAdvice: `its controller's "thormesh controller secret ${agentId}" prints its broker password`,
        keepAliveS: config.broker.keepAliveS,
        will: { topic: agentTopic(fleet, agentId, "presence"), payload: encodeMessage(Presence, self.will()) },
      },
      log,
    );

    const cycle = createMinuteCycle({
      identity,
      record,
      outbox,
      forecaster,
      accuracy,
      power,
      queueDepth: () => serving.queueDepth(),
      role: () => membership.role,
      recordRetentionDays: config.recordRetentionDays,
      nowMs,
      log,
      storage,
    });

    const sender = createOutboxSender(outbox, broker, identity, nowMs, log);
    /** A broker acknowledges what nobody has subscribed to as well, so records wait until the controller says that it listens. */
    const drainOutbox = async () => {
      if (config.outbox.waitForController && !membership.controllerOnline) return;
      await sender.drain().catch(logFailure("sending records"));
    };

    const evaluatePower = async () => {
      const { desired, role } = membership;
      const modeBefore = power.currentMode()?.name;
      await power.evaluate({
        forecast: cycle.lastForecast(),
        liveQps: record.liveQps(nowMs()),
        role,
        desiredMode: desired?.powerMode ?? null,
        desiredModeCap: desired?.powerModeCap ?? null,
        desiredModeUntilMs: desired?.powerModeUntilMs ?? null,
        desiredModeCapUntilMs: desired?.powerModeCapUntilMs ?? null,
        nowMs: nowMs(),
      });
      if (power.currentMode()?.name !== modeBefore) await reporter.publishReported();
    };

    /** Takes the role and power mode that follow from what the fleet said, and reports. */
    const follow = async (alwaysReport: boolean) => {
      const changed = membership.refresh();
      if (changed) await reporter.publishPresence();
      if (!changed && !alwaysReport) return;
      await evaluatePower();
      await reporter.publishReported();
    };
    /** For message handlers, which must not wait for what is published here. */
    const followSoon = (alwaysReport = false) => {
      follow(alwaysReport).catch(logFailure("following the fleet"));
    };

    const drain = async (): Promise<string> => {
      membership.drain(nowMs() + drainedForMs);
      await follow(true);
      while (serving.inFlight() > 0) {
        if (membership.decision.source !== "command")
          throw new Error("newer instructions came before everything was finished");
        await Bun.sleep(20);
      }
      return `nothing is in flight; drained for ${drainedForMs / 60_000} minutes, or until new instructions from the controller`;
    };
    let draining: Promise<string> | undefined;
    const drainByCommand = (): Promise<string> => {
      draining ??= drain().finally(() => {
        draining = undefined;
      });
      return draining;
    };

    const reporter = createReporter(
      broker,
      identity,
      { presence: () => self.presence("online"), birth: self.birth, reported: self.reported },
      {
        onPeerPresence(presence) {
          membership.observePresence(presence);
          sleep.observePeer(presence);
          followSoon();
        },
        ...(config.power.sleep.wakeCommand.length > 0 ? { onPeerDesired: (d) => sleep.observePeerDesired(d) } : {}),
        onPeerForgotten(peerId) {
          membership.forgetPeer(peerId);
          sleep.forgetPeer(peerId);
          followSoon();
        },
        onControllerState(state) {
          membership.observeController(state);
          followSoon();
          void drainOutbox();
        },
        onDesired(document) {
          if (membership.accept(document)) followSoon(true);
        },
        onCommand: drainByCommand,
        onConnected() {
          followSoon();
          void drainOutbox();
        },
      },
      nowMs,
      log,
    );
    broker.onConnection((connected) => membership.connectionChanged(connected));

    const sleep = createSleep({
      config: config.power.sleep,
      agentId,
      async leave() {
        await reporter.publishLeave({ ...self.presence("online"), asleep: sleep.asleep() });
        await broker.stop();
      },
      comeBack: () => broker.start(),
      log,
    });
    const evaluateSleep = async () => {
      // A drain by command ends by itself, and peers that were not named again are gone.
      await follow(false);
      await sleep.evaluate({
        role: membership.role,
        requestsInFlight: serving.inFlight(),
        outboxRecords: outbox.size().entries,
        controllerOnline: membership.controllerOnline,
        servingPeers: membership.servingPeers().length,
        boardInUse: power.status().leftAlone,
        nowMs: nowMs(),
      });
    };

    let announced = "";
    /** What took its time is made known: the controller counts on no agent without a model, and chooses by the board's modes. */
    const announceChanges = async () => {
      const { models, board } = self.birth();
      const now = JSON.stringify({ models, board });
      if (now === announced) return;
      announced = now;
      await reporter.publishBirth();
      await reporter.publishPresence();
    };

    const endMinute = async () => {
      await cycle.run();
      void drainOutbox();
      await announceChanges();
      await evaluatePower();
    };

    registerAccuracyMetrics(metrics, "thormesh_forecast", accuracyOf);
    registerTrainingMetrics(metrics, nightTraining);
    registerAgentMetrics(metrics, {
      brokerConnected: () => broker.connected,
      outboxRecords: () => outbox.size().entries,
      storage: () => storage.status(),
      refusedMessages: () => reporter.refusedMessages,
      lastForecast: () => cycle.lastForecast(),
      active: () => membership.role === "active",
      hungProcesses: () => hung.counts(),
    });

    const tasks: PeriodicTask[] = [];
    stopRunning = async () => {
      sleep.stop();
      // First of all: the role that follows must not turn away those who have not heard of it.
      serving.announceStop();
      membership.beginStop();
      membership.refresh();
      await reporter.publishPresence();
      await Promise.all(tasks.map((task) => task.stop()));
      await serving.stop();
      await tracing?.stop();
      cycle.finish();
      await Promise.race([drainOutbox(), Bun.sleep(outbox.unwritten() > 0 ? longFarewellMs : farewellMs)]);
      await reporter.publishLeave(self.presence("offline"));
      await broker.stop();
      await power.stop();
      await nightTraining.stop();
      await forecaster.stop();
      storage.retry();
      if (outbox.unwritten() > 0)
        log.error(
          { records: outbox.unwritten() },
          "RECORDS ARE LOST: they could neither be sent nor written before the process ended",
        );
      state.close();
      log.info("stopped");
    };

    try {
      await power.start();
      await serving.start();
    } catch (error) {
      await serving.stop();
      await power.stop();
      state.close();
      throw error;
    }
    await forecaster.start();
    cycle.recover();
    reporter.start();
    await broker.start();
    tasks.push(
      runPeriodically(clock, minuteMs, endMinute, logFailure("ending the minute")),
      runPeriodically(clock, powerPeriodMs, evaluateSleep, logFailure("sleeping and waking")),
      runPeriodically(clock, powerPeriodMs, evaluatePower, logFailure("choosing the power mode"), powerPeriodMs / 2),
      // Real seconds, whatever the clock's speed: requests that wait now must not wait for a training.
      runPeriodically(systemClock, trainingPeriodMs, () => nightTraining.evaluate(), logFailure("training")),
    );
    log.info(
      { url: serving.url, grpc: serving.grpcAddress, ...identity, stateDir, role: membership.role },
      "agent started",
    );
  };

  return { start, stop: () => stopRunning() };
}
