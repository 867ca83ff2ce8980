import { join } from "node:path";
import { Registry } from "prom-client";
import { accuracyRoutes } from "#forecast/accuracy/accuracy-routes.ts";
import { forecastRoutes } from "#forecast/forecast-routes.ts";
import { trainingRoutes } from "#forecast/night/training-routes.ts";
import type { Clock } from "#platform/clock.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { recentDamage } from "#platform/files/open-database.ts";
import { createStorageWatch, type StorageWatch } from "#platform/files/storage-watch.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import { createHungProcesses, describeHungProcesses } from "#platform/process/hung-processes.ts";
import { dayMs } from "#platform/time.ts";
import { version } from "#platform/version.ts";
import { agentClientId } from "#protocol/broker-secret.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { Presence } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic } from "#protocol/topics.ts";
import { createAgentForecasting } from "./agent-forecasting.ts";
import { registerAgentMetrics } from "./agent-metrics.ts";
import { type AgentStatus, statusRoutes } from "./agent-status.ts";
import { createBrokerCredentials } from "./broker-credentials.ts";
import { CapacityEstimates } from "./capacity/capacity-estimates.ts";
import { CapacityWatch } from "./capacity/capacity-watch.ts";
import type { AgentConfig } from "./config.ts";
import { FleetMember } from "./fleet-member.ts";
import type { AgentIdentity } from "./identity.ts";
import { createDesiredDocument } from "./mesh/desired-document.ts";
import { createMembership } from "./mesh/membership.ts";
import { createPeers } from "./mesh/peers.ts";
import { StateFile } from "./open-state.ts";
import { Power } from "./power/power.ts";
import { createSelfDescription } from "./self-description.ts";
import { pulledModelsDirectory } from "./serving/models/pulled-models-directory.ts";
import { Serving } from "./serving/serving.ts";
import { createTracing } from "./serving/tracing/request-tracer.ts";
import { createStoredText } from "./stored-text.ts";
import { lossCauses, Outbox } from "./telemetry/outbox.ts";
import { MinuteCycle } from "./traffic/minute-cycle.ts";
import { TrafficRecord } from "./traffic/traffic-record.ts";

function withDamage(check: ReturnType<StorageWatch["check"]>, damage: string | null): typeof check {
  return damage === null ? check : { status: "degraded", detail: `${check.detail}; ${damage}` };
}

export type AgentParts = ReturnType<typeof createAgentParts>;

/** Opens the agent's state and puts its parts together; none of them is started. */
export function createAgentParts(given: {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly identity: AgentIdentity;
  readonly startedAtMs: number;
  readonly stateDir: string;
}) {
  const { config, clock, log, identity, startedAtMs, stateDir } = given;
  const { fleet, agentId } = identity;
  const nowMs = () => clock.nowMs();
  const storage = createStorageWatch(log, lossCauses, nowMs);
  const statePath = join(stateDir, "agent.db");
  const state = new StateFile(statePath, log, nowMs);
  // Before all others, which can write again once the file is open.
  storage.keep({ flush: () => state.recover(), waiting: () => ({ records: 0, bytes: 0 }) });
  const { database } = state;
  const metrics = new Registry();
  const hung = createHungProcesses(["model", "forecast", "training"]);
  const record = new TrafficRecord(database, identity.bootId, nowMs(), nowMs, storage);
  const limits = { maxBytes: config.outbox.maxBytes, maxAgeMs: config.outbox.maxAgeDays * dayMs };
  const outbox = new Outbox(database, limits, storage, (minute) => record.markQueued(minute));
  const { forecaster, accuracy, nightTraining, accuracyOf } = createAgentForecasting({
    config,
    stateDir,
    database,
    storage,
    record,
    hung,
    busy: () => serving.queueDepth() > 0,
    metrics,
    nowMs,
    log,
  });
  /** The model of most requests: the configured one, by its id where configuration has another name for it. */
  const mainModel = () => {
    const loaded = serving.loadedModels().map(({ id }) => id);
    return loaded.includes(config.serving.model) ? config.serving.model : (loaded[0] ?? config.serving.model);
  };
  const power = new Power({
    config: config.power,
    clock,
    log,
    metrics,
    stateDir,
    model: mainModel,
    memory: createStoredText(database, "power-corrections", storage),
    measured: () => estimates.measured(mainModel()),
  });
  const estimates = new CapacityEstimates(
    createStoredText(database, "capacity-estimates", storage),
    (model, mode) => power.statedCapacity(model, mode),
    nowMs,
  );
  const modeName = () => power.currentMode?.name ?? null;
  const capacity = new CapacityWatch({
    estimates,
    models: () => serving.watchedModels(),
    modeName,
    overloaded: () => false,
    realMs: () => performance.now(),
    speed: clock.speed,
  });
  const membership = createMembership({
    configuredRole: config.role,
    document: createDesiredDocument(database, nowMs, log, storage),
    peers: createPeers({ ownAgentId: agentId, brokerUrl: config.broker.url }),
    brokerConnected: () => broker.connected,
    nowMs,
    log,
  });
  const status = (): AgentStatus => ({
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
    capacity: capacity.present(),
    forecast: cycle.lastForecast,
    forecaster: forecaster.describe(),
    forecastAccuracy: accuracyOf("24h"),
    forecastTraining: nightTraining.status(),
    power: power.status(),
    outbox: {
      ...outbox.size(),
      droppedRecords: Object.values(storage.status().lost).reduce((sum, records) => sum + records, 0),
    },
    storage: storage.status(),
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
    rememberedSpeed: (model) => {
      const tokensPerS = estimates.measuredTokensPerS(model, modeName());
      return tokensPerS === null ? null : (tokensPerS / 1000) * clock.speed;
    },
    extraChecks: () => ({
      power: power.health(),
      processes: describeHungProcesses(hung),
      storage: withDamage(storage.check(), recentDamage(statePath, nowMs())),
    }),
    extraRoutes: [
      accuracyRoutes("agent", accuracyOf),
      trainingRoutes(() => nightTraining),
      forecastRoutes(
        () => cycle.lastForecast,
        () => forecaster.describe(),
      ),
      statusRoutes(status),
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
  const cycle = new MinuteCycle({
    identity,
    record,
    outbox,
    forecaster,
    accuracy,
    power,
    queueDepth: () => serving.queueDepth(),
    role: () => membership.role,
    capacity: () => capacity.present(),
    recordRetentionDays: config.recordRetentionDays,
    nowMs,
    log,
    storage,
  });
  const member = new FleetMember({
    identity,
    sleepConfig: config.power.sleep,
    waitForController: config.outbox.waitForController,
    broker,
    membership,
    self,
    power,
    cycle,
    record,
    serving,
    outbox,
    nowMs,
    log,
  });
  registerAgentMetrics(metrics, {
    brokerConnected: () => broker.connected,
    outboxRecords: () => outbox.size().entries,
    storage: () => storage.status(),
    refusedMessages: () => member.refusedMessages,
    lastForecast: () => cycle.lastForecast,
    active: () => membership.role === "active",
    hungProcesses: () => hung.counts(),
  });
  return {
    ...{ state, storage, outbox, power, membership, serving, tracing, broker },
    ...{ cycle, member, forecaster, nightTraining, capacity, estimates },
  };
}
