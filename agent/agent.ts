import { hostname } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { createClock } from "#platform/clock.ts";
import { defaultStateDir } from "#platform/default-state-dir.ts";
import { describeError } from "#platform/errors.ts";
import { createLogger } from "#platform/log.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import { version } from "#platform/version.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { type ControllerState, Presence } from "#protocol/messages.ts";
import { createMqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic } from "#protocol/topics.ts";
import { registerAgentMetrics } from "./agent-metrics.ts";
import { statusRoutes } from "./agent-status.ts";
import type { AgentConfig } from "./config.ts";
import { createForecaster } from "./forecast/create-forecaster.ts";
import { createTrafficRecord, minuteMs } from "./forecast/traffic-record.ts";
import { type AgentIdentity, agentIdFromHostname } from "./identity.ts";
import { decideRole, type RoleDecision } from "./mesh/decide-role.ts";
import { createDesiredDocument } from "./mesh/desired-document.ts";
import { createPeers } from "./mesh/peers.ts";
import { createMinuteCycle } from "./minute-cycle.ts";
import { openState } from "./open-state.ts";
import { createPower } from "./power/power.ts";
import { createSelfDescription } from "./self-description.ts";
import { createServing } from "./serving/serving.ts";
import { createOutbox } from "./telemetry/outbox.ts";
import { createOutboxSender } from "./telemetry/outbox-sender.ts";
import { createReporter } from "./telemetry/reporter.ts";

export interface Agent {
  /** Resolves when the agent listens; serving waits for neither broker nor controller. */
  start(): Promise<void>;
  /** Finishes what is in flight, sends what it can of its record, takes leave of the fleet. */
  stop(): Promise<void>;
}

const dayMs = 24 * 60 * minuteMs;
const powerPeriodMs = 15_000;
/** How long an orderly end waits for the broker to take the last records; what it doesn't take is sent at the next start. */
const farewellMs = 1_000;

/** Puts an agent together from its configuration. Nothing happens before `start`. */
export function createAgent(config: AgentConfig): Agent {
  const clock = createClock(config.clock ?? undefined);
  const nowMs = () => clock.nowMs();
  const log = createLogger("agent", config.logLevel);
  const { fleet } = config;
  const agentId = config.id ?? agentIdFromHostname(hostname());
  const identity: AgentIdentity = { fleet, agentId, bootId: crypto.randomUUID(), region: config.region };
  const startedAtMs = nowMs();
  let stopRunning = async () => {};

  const start = async () => {
    const stateDir = config.stateDir ?? defaultStateDir("agent", process.env);
    const database = openState(join(stateDir, "agent.db"), log, nowMs());
    const metrics = new Registry();
    const record = createTrafficRecord(database, identity.bootId, nowMs(), nowMs);
    const outbox = createOutbox(database, {
      maxBytes: config.outbox.maxBytes,
      maxAgeMs: config.outbox.maxAgeDays * dayMs,
    });
    const desired = createDesiredDocument(database, log);
    const peers = createPeers(agentId);
    const forecaster = createForecaster({ config: config.forecast, log });
    const power = createPower({ config: config.power, clock, log, metrics });
    let controller: ControllerState | null = null;
    let stopping = false;
    let role: RoleDecision = decideRole({
      desired: desired.current(),
      configuredRole: config.role,
      stopping,
      brokerConnected: false,
      controllerOnline: false,
      servingPeerCount: 0,
    });

    const serving = createServing({
      config: config.serving,
      log,
      clock,
      gate: power.gate,
      sink: record,
      role: {
        get role() {
          return role.role;
        },
        servingPeers: () => peers.serving(),
      },
      metrics,
      version,
      extraRoutes: [
        statusRoutes(() => ({
          agentId,
          fleet,
          bootId: identity.bootId,
          version,
          nowMs: Math.round(nowMs()),
          startedAtMs: Math.round(startedAtMs),
          role,
          broker: { url: config.broker.url, connected: broker.connected },
          controllerOnline: controller?.status === "online",
          peers: peers.serving(),
          liveQps: record.liveQps(nowMs()),
          forecast: cycle.lastForecast(),
          forecaster: forecaster.describe(),
          power: power.status(),
          outbox: { ...outbox.size(), droppedRecords: cycle.droppedRecords() },
        })),
      ],
    });

    const self = createSelfDescription({
      identity,
      config,
      serving,
      power,
      role: () => role,
      desired: () => desired.current(),
      nowMs,
    });

    const { username, password } = config.broker;
    const broker = createMqttBroker(
      {
        url: config.broker.url,
        clientId: `thormesh-agent-${fleet}-${agentId}`,
        ...(username === null ? {} : { username }),
        ...(password === null ? {} : { password }),
        keepAliveS: config.broker.keepAliveS,
        will: { topic: agentTopic(fleet, agentId, "presence"), payload: encodeMessage(Presence, self.will()) },
      },
      log,
    );

    const cycle = createMinuteCycle({
      identity,
      database,
      record,
      outbox,
      forecaster,
      power,
      queueDepth: () => serving.queueDepth(),
      role: () => role.role,
      recordRetentionDays: config.recordRetentionDays,
      nowMs,
      log,
    });

    const logFailure = (what: string) => (error: unknown) => log.error({ err: describeError(error) }, `${what} failed`);
    const sender = createOutboxSender(outbox, broker, identity, nowMs, log);
    /** A broker acknowledges what nobody has subscribed to as well, so records wait until the controller says that it listens. */
    const drainOutbox = async () => {
      if (config.outbox.waitForController && controller?.status !== "online") return;
      await sender.drain().catch(logFailure("sending records"));
    };

    const evaluatePower = async () => {
      const document = desired.current();
      const modeBefore = power.currentMode()?.name;
      await power.evaluate({
        forecast: cycle.lastForecast(),
        liveQps: record.liveQps(nowMs()),
        role: role.role,
        desiredMode: document?.powerMode ?? null,
        desiredModeUntilMs: document?.powerModeUntilMs ?? null,
        nowMs: nowMs(),
      });
      if (power.currentMode()?.name !== modeBefore) await reporter.publishReported();
    };

    /** Takes the role that the present circumstances ask for; true when it is another than before. */
    const takeRole = (): boolean => {
      const before = role.role;
      role = decideRole({
        desired: desired.current(),
        configuredRole: config.role,
        stopping,
        brokerConnected: broker.connected,
        controllerOnline: controller?.status === "online",
        servingPeerCount: peers.serving().length,
      });
      if (role.role === before) return false;
      log.info({ from: before, to: role.role, source: role.source, reason: role.reason }, "role changes");
      return true;
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

    /** Not awaited by those who call it from a message's handler: it publishes. */
    const follow = async (alwaysReport = false) => {
      const changed = takeRole();
      if (changed) await reporter.publishPresence();
      if (!changed && !alwaysReport) return;
      await evaluatePower();
      await reporter.publishReported();
    };
    const followSoon = (alwaysReport = false) => {
      follow(alwaysReport).catch(logFailure("following the fleet"));
    };

    const reporter = createReporter(
      broker,
      identity,
      { presence: () => self.presence("online"), birth: self.birth, reported: self.reported },
      {
        onPeerPresence(presence) {
          peers.observe(presence);
          followSoon();
        },
        onControllerState(state) {
          controller = state;
          followSoon();
          void drainOutbox();
        },
        onDesired(document) {
          if (desired.accept(document)) followSoon(true);
        },
        async onCommand() {
          desired.accept({
            v: 1,
            agentId,
            version: (desired.current()?.version ?? 0) + 1,
            issuedAtMs: Math.round(nowMs()),
            role: "draining",
            powerMode: null,
            powerModeUntilMs: null,
            reason: "drained by command",
          });
          await follow(true);
          while (serving.inFlight() > 0 && !stopping) await Bun.sleep(20);
          return "nothing is in flight";
        },
        onConnected() {
          followSoon();
          void drainOutbox();
        },
      },
      nowMs,
      log,
    );

    registerAgentMetrics(metrics, {
      brokerConnected: () => broker.connected,
      outboxRecords: () => outbox.size().entries,
      droppedRecords: () => cycle.droppedRecords(),
      refusedMessages: () => reporter.refusedMessages,
      lastForecast: () => cycle.lastForecast(),
      active: () => role.role === "active",
    });

    const tasks: PeriodicTask[] = [];
    stopRunning = async () => {
      stopping = true;
      takeRole();
      await reporter.publishPresence();
      await Promise.all(tasks.map((task) => task.stop()));
      await serving.stop();
      cycle.finish();
      await Promise.race([drainOutbox(), Bun.sleep(farewellMs)]);
      await reporter.publishLeave(self.presence("offline"));
      await broker.stop();
      await power.stop();
      await forecaster.stop();
      database.close();
      log.info("stopped");
    };

    broker.onConnection((connected) => {
      // Whether the controller is there has to be heard anew on each connection.
      if (!connected) controller = null;
    });

    try {
      await power.start();
      await serving.start();
    } catch (error) {
      await serving.stop();
      await power.stop();
      database.close();
      throw error;
    }
    await forecaster.start();
    cycle.recover();
    reporter.start();
    await broker.start();
    const endMinute = async () => {
      await cycle.run();
      void drainOutbox();
      await announceChanges();
      await evaluatePower();
    };
    tasks.push(
      runPeriodically(clock, minuteMs, endMinute, logFailure("ending the minute")),
      runPeriodically(clock, powerPeriodMs, evaluatePower, logFailure("choosing the power mode"), powerPeriodMs / 2),
    );
    log.info({ url: serving.url, ...identity, stateDir, role: role.role }, "agent started");
  };

  return { start, stop: () => stopRunning() };
}
