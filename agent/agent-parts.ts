import { join } from "node:path";
import { Registry } from "prom-client";
import type { Clock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import { recentDamage } from "#platform/files/open-database.ts";
import { createStorageWatch, type StorageWatch } from "#platform/files/storage-watch.ts";
import { type Logger, newestEvents } from "#platform/log.ts";
import { createHungProcesses, describeHungProcesses } from "#platform/process/hung-processes.ts";
import { watchOpenFiles } from "#platform/process/open-files.ts";
import { dayMs, secondMs } from "#platform/time.ts";
import { version } from "#platform/version.ts";
import { FleetKeys } from "./access/fleet-keys.ts";
import { createAgentForecasting } from "./agent-forecasting.ts";
import { registerAgentMetrics } from "./agent-metrics.ts";
import { agentRoutes } from "./agent-routes.ts";
import { agentRefusals, brokerHealth, isTurnedAway } from "./broker-status.ts";
import { measureLoad } from "./capacity/measure-load.ts";
import type { AgentConfig } from "./config.ts";
import type { DeviceIdentity } from "./enrolment/device-identity.ts";
import { openEnrolment } from "./enrolment/open-enrolment.ts";
import { certificateHealth, openServingCertificate, servedHosts } from "./enrolment/serving-certificate.ts";
import { FleetMember } from "./fleet-member.ts";
import type { AgentIdentity } from "./identity.ts";
import { doorName, LocalDoor } from "./local/local-door.ts";
import { createAgentMesh } from "./mesh/create-agent-mesh.ts";
import { createDesiredDocument } from "./mesh/desired-document.ts";
import { createMembership } from "./mesh/membership.ts";
import { createPeers } from "./mesh/peers.ts";
import { StateFile } from "./open-state.ts";
import { Power } from "./power/power.ts";
import { createTenantData } from "./privacy/tenant-data.ts";
import { AgentTenantJobs } from "./privacy/tenant-jobs.ts";
import { createSelfDescription } from "./self-description.ts";
import { clientFiles } from "./serving/client-files.ts";
import { pulledModelsDirectory } from "./serving/models/pulled-models-directory.ts";
import { Serving } from "./serving/serving.ts";
import { createTracing } from "./serving/tracing/request-tracer.ts";
import { createStoredText } from "./stored-text.ts";
import { createAgentBroker } from "./telemetry/agent-broker.ts";
import { Beats } from "./telemetry/beat.ts";
import { collectStatus, droppedRecords } from "./telemetry/collect-status.ts";
import { lossCauses, Outbox } from "./telemetry/outbox.ts";
import { sendPhaseMs } from "./telemetry/send-phase.ts";
import { bothSinks, renamingSink } from "./traffic/both-sinks.ts";
import { FeltDemand } from "./traffic/felt-demand.ts";
import { MinuteCycle } from "./traffic/minute-cycle.ts";
import { TrafficRecord } from "./traffic/traffic-record.ts";
import { FleetUpdates } from "./update/fleet-updates.ts";

/** Time of which the choice of the power mode knows what users felt; at least so much real time when the clock is faster. */
const feltWindowMs = 15 * secondMs;
const minFeltRealMs = 750;
/** Least real time between two beats when the clock is faster. */
const minBeatRealMs = 500;

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
  /** Identity of a device that has joined a fleet; null: it has not. */
  readonly joined: DeviceIdentity | null;
}) {
  const { config, clock, log, identity, startedAtMs, stateDir, joined } = given;
  const { fleet, agentId } = identity;
  const nowMs = () => clock.nowMs();
  const storage = createStorageWatch(log, lossCauses, nowMs);
  const statePath = join(stateDir, "agent.db");
  const state = new StateFile(statePath, log, nowMs);
  // Before all others, which can write again once the file is open.
  storage.keep({ flush: () => state.recover(), waiting: () => ({ records: 0, bytes: 0 }) });
  const { database } = state;
  const metrics = new Registry();
  const openFiles = watchOpenFiles(clientFiles(config.serving), log);
  const hung = createHungProcesses(["model", "forecast", "training"]);
  const record = new TrafficRecord(database, identity.bootId, nowMs(), nowMs, storage, clock.speed);
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
    tariff: () => access.tariff(identity.region),
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
    slo: config.slo,
    clock,
    log,
    metrics,
    stateDir,
    model: mainModel,
    memory: createStoredText(database, "power-corrections", storage),
    measured: () => estimates.measured(mainModel()),
  });
  const modeName = () => power.currentMode?.name ?? null;
  const load = measureLoad({
    memory: createStoredText(database, "capacity-estimates", storage),
    ...{ power, modeName, nowMs, log, speed: clock.speed },
    serving: () => serving,
    refusals: () => felt.refusals,
  });
  const { estimates, capacity, utilization } = load;
  const felt = new FeltDemand({
    slo: config.slo,
    nowMs,
    windowMs: Math.max(feltWindowMs, minFeltRealMs * clock.speed),
    onTrouble: () => {
      beats.hasten();
      member
        .evaluatePower()
        .catch((error) => log.error({ err: describeError(error) }, "choosing the power mode failed"));
    },
  });
  const enrolment = openEnrolment({
    ...{ joined, stateDir, fleet, nowMs, log },
    memory: createStoredText(database, "orders", storage),
    ...{ serving: config.serving, hosts: () => servedHosts(config), told: () => access.devices() },
    servingPeers: () => membership.servingPeers(),
    isTurnedAway: () => isTurnedAway(broker, refused(), identity),
    onRenewed: () => {
      broker.renew("the certificate was renewed");
      tls?.changed();
    },
  });
  const { orders, renewal } = enrolment;
  const membership = createMembership({
    configuredRole: config.role,
    document: createDesiredDocument(database, nowMs, log, storage, joined !== null),
    peers: createPeers({
      ownAgentId: agentId,
      brokerUrl: config.broker.url,
      speed: clock.speed,
      mayCall: (url) => mesh.isPeerAddress(url),
    }),
    brokerConnected: () => broker.connected,
    nowMs,
    log,
  });
  const capacityQps = (model: string) => capacity.present().find((each) => each.model === model)?.qps ?? null;
  const access = new FleetKeys({ database, storage, required: config.serving.requireKeys, nowMs, log });
  const mesh = createAgentMesh({
    ...{ config, agentId, metrics, power, modeName, capacityQps, speed: clock.speed },
    certificates: enrolment.peers,
    regionsOf: (tenant) => access.tenant(tenant)?.regions ?? null,
    peers: () => membership.backends(),
  });
  const refused = () => agentRefusals(broker.refused, identity, member.unconfirmed, membership.controllerAcknowledges);
  const status = () =>
    collectStatus({
      ...{ identity, startedAtMs, nowMs, refused, brokerUrl: config.broker.url },
      ...{ membership, broker, record, capacity, utilization, cycle, power, outbox, storage, access },
      ...{ forecaster, accuracyOf, nightTraining },
    });
  const tls = openServingCertificate(config.serving.tls, { renewal, log });
  const tracing = createTracing(config.serving.tracing, { version, agentId, fleet }, log);
  const serving = new Serving({
    config: config.serving,
    log,
    clock,
    gate: power.gate,
    sink: renamingSink(bothSinks(record, felt), (tenant) => tenantJobs.nameOf(tenant)),
    gpus: load.gpus,
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
      broker: brokerHealth(broker, refused()),
      ...enrolment.checks(),
      ...(tls === undefined ? {} : { tls: certificateHealth(tls) }),
      processes: describeHungProcesses(hung),
      open_files: openFiles.check(),
      storage: withDamage(storage.check(), recentDamage(statePath, nowMs())),
    }),
    ...{ mesh, access, agentId, tls },
    extraRoutes: agentRoutes({
      ...{ mesh, accuracyOf, status },
      minutes: () => ({ nowMs: Math.round(nowMs()), minutes: cycle.recent.list() }),
      training: () => nightTraining,
      forecast: () => cycle.lastForecast,
      forecaster: () => forecaster.describe(),
    }),
  });
  const tenantJobs = new AgentTenantJobs({
    data: createTenantData({ database, record, outbox, energy: power, serving, config: config.serving }),
    memory: createStoredText(database, "tenant-jobs", storage),
    nowMs,
    log,
  });
  tenantJobs.follow(access.jobs());
  const updates = new FleetUpdates({
    config: config.update,
    // Where systemd gives a directory that root can read without any right over the agent's own.
    directory: process.env["RUNTIME_DIRECTORY"] ?? stateDir,
    ...{ version, log },
  });
  const self = createSelfDescription({
    ...{ identity, config, serving, power, membership, refused, nowMs },
    orderRefused: () => orders.recentRefusal(),
    tenantJobs: () => tenantJobs.receipts(),
    updates: () => updates.report(),
    training: () => nightTraining.status(),
    mesh: () => ({
      spaces: Object.fromEntries(serving.loadedModels().map(({ id, space }) => [id, mesh.spaceOf(id, space)])),
      qps: capacityQps(mainModel()),
      usdPerRequest: mesh.usdPerRequest(mainModel()),
    }),
  });
  const broker = createAgentBroker({
    ...{ config: config.broker, identity, log },
    joined: joined === null ? null : () => renewal?.identity ?? joined,
    will: () => self.will(),
  });
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
    utilization: (sinceMs) => utilization.mean(sinceMs),
    takeMesh: () => mesh.takeMinute(),
    droppedRecords: () => droppedRecords(storage),
    recordRetentionDays: config.recordRetentionDays,
    nowMs,
    log,
    storage,
  });
  const member = new FleetMember({
    identity,
    sleepConfig: config.power.sleep,
    waitForController: config.outbox.waitForController,
    sendDelayMs: sendPhaseMs(identity.agentId) / clock.speed,
    broker,
    membership,
    access,
    tenantJobs,
    updates,
    self,
    power,
    cycle,
    record,
    felt,
    serving,
    outbox,
    orders,
    nowMs,
    log,
  });
  const beats = new Beats({
    identity,
    broker,
    controllerOnline: () => membership.controllerOnline,
    periodMs: Math.max(config.broker.beatS * secondMs, minBeatRealMs * clock.speed),
    takeModels: () => felt.take(),
    capacity: () => capacity.present(),
    utilization: (sinceMs) => utilization.mean(sinceMs),
    state: () => ({ role: membership.role, modeName: modeName(), queueDepth: serving.queueDepth() }),
    nowMs,
    random: Math.random,
    log,
  });
  const door = new LocalDoor(
    join(stateDir, doorName),
    () => ({
      status: status(),
      minute: cycle.recent.list().at(-1) ?? null,
      models: serving.loadedModels().map(({ id }) => id),
      events: newestEvents(),
    }),
    log,
  );
  registerAgentMetrics(metrics, {
    brokerConnected: () => broker.connected,
    outboxRecords: () => outbox.size().entries,
    storage: () => storage.status(),
    refusedMessages: () => member.refusedMessages,
    refusedOrders: () => orders.refused(),
    lastForecast: () => cycle.lastForecast,
    active: () => membership.role === "active",
    hungProcesses: () => hung.counts(),
    utilization: () => utilization.latest(),
    capacity: () => capacity.present(),
  });
  return {
    ...{ state, storage, outbox, power, membership, serving, tracing, broker },
    ...{ cycle, member, forecaster, nightTraining, capacity, estimates },
    ...{ utilization, beats, openFiles, renewal, door },
  };
}
