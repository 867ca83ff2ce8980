import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import type { Broker } from "#protocol/broker.ts";
import type { FleetAccess } from "#protocol/messages.ts";
import type { FleetKeys } from "./access/fleet-keys.ts";
import type { FleetOrders } from "./enrolment/fleet-orders.ts";
import type { AgentIdentity } from "./identity.ts";
import type { Membership } from "./mesh/membership.ts";
import type { FollowLimits } from "./mesh/peer-follower.ts";
import type { Power } from "./power/power.ts";
import { Sleep } from "./power/sleep/sleep.ts";
import type { SleepConfig } from "./power/sleep/sleep-config.ts";
import type { AgentTenantJobs } from "./privacy/tenant-jobs.ts";
import type { SelfDescription } from "./self-description.ts";
import type { Serving } from "./serving/serving.ts";
import type { Outbox } from "./telemetry/outbox.ts";
import { OutboxSender, type Unconfirmed } from "./telemetry/outbox-sender.ts";
import { type FleetListener, Reporter } from "./telemetry/reporter.ts";
import type { FeltDemand } from "./traffic/felt-demand.ts";
import type { MinuteCycle } from "./traffic/minute-cycle.ts";
import type { TrafficRecord } from "./traffic/traffic-record.ts";
import type { FleetUpdates } from "./update/fleet-updates.ts";

export interface FleetMemberParts {
  readonly identity: AgentIdentity;
  readonly sleepConfig: SleepConfig;
  /** Sends records only while a controller is online. */
  readonly waitForController: boolean;
  /** Delay after a minute's end at which it is sent; real time. Default: none. */
  readonly sendDelayMs?: number;
  readonly broker: Broker;
  readonly membership: Membership;
  readonly access?: Pick<FleetKeys, "accept" | "jobs">;
  /** Jobs with tenants' data. Default: none are done. */
  readonly tenantJobs?: Pick<AgentTenantJobs, "follow" | "evaluate">;
  /** Orders of the fleet for another version. Default: none are followed. */
  readonly updates?: Pick<FleetUpdates, "evaluate">;
  readonly self: SelfDescription;
  readonly power: Pick<Power, "currentMode" | "evaluate" | "status">;
  readonly cycle: Pick<MinuteCycle, "lastForecast" | "run">;
  readonly record: Pick<TrafficRecord, "liveQps">;
  readonly felt: Pick<FeltDemand, "felt">;
  readonly serving: Pick<Serving, "inFlight">;
  readonly outbox: Pick<Outbox, "oldest" | "remove" | "size">;
  readonly followLimits?: FollowLimits;
  readonly orders?: FleetOrders;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Duration of a drain by command, unless a newer document comes first. */
const drainedForMs = 10 * minuteMs;

/** Follows the fleet: takes the role, power mode and sleep that its documents ask for, and publishes what became of them. */
export class FleetMember {
  readonly #parts: FleetMemberParts;
  readonly #sender: OutboxSender;
  readonly #sleep: Sleep;
  readonly #reporter: Reporter;
  #draining: Promise<string> | undefined;
  #sending: ReturnType<typeof setTimeout> | undefined;
  #announced = "";
  #announcedNews = "[]";

  constructor(parts: FleetMemberParts) {
    const { broker, identity, self, nowMs, log } = parts;
    this.#parts = parts;
    this.#sender = new OutboxSender({
      ...{ outbox: parts.outbox, broker, identity, nowMs, log },
      controllerAnswers: () => parts.membership.controllerAcknowledges,
      // Its own presence comes back, or the session is renewed.
      onSilence: () => void this.#reporter.publishPresence(),
    });
    this.#sleep = new Sleep({
      config: parts.sleepConfig,
      agentId: identity.agentId,
      disconnect: async () => {
        await this.#reporter.publishDisconnect({ ...self.presence("online"), asleep: this.#sleep.asleep() });
        await broker.stop();
      },
      reconnect: () => broker.start(),
      log,
    });
    const reportable = { presence: () => self.presence("online"), birth: self.birth, reported: self.reported };
    this.#reporter = new Reporter({
      ...{ broker, identity, reportable, listener: this.#listener(), nowMs, log },
      ...(parts.followLimits === undefined ? {} : { followLimits: parts.followLimits }),
      ...(parts.orders === undefined ? {} : { orders: parts.orders }),
    });
  }

  /** Records that the broker took and the controller has not confirmed. */
  get unconfirmed(): Unconfirmed {
    return this.#sender.unconfirmed;
  }

  get refusedMessages(): number {
    return this.#reporter.refusedMessages;
  }

  start(): void {
    this.#parts.broker.onConnection((connected) => {
      this.#parts.membership.connectionChanged(connected);
      this.#sender.restart();
    });
    this.#reporter.start();
  }

  /** Takes the role "draining" for good and announces it. */
  async announceStop(): Promise<void> {
    const { membership } = this.#parts;
    this.#sleep.stop();
    clearTimeout(this.#sending);
    membership.beginStop();
    membership.refresh();
    await this.#reporter.publishPresence();
  }

  async leave(): Promise<void> {
    this.#reporter.stop();
    await this.#reporter.publishDisconnect(this.#parts.self.presence("offline"));
    await this.#parts.broker.stop();
  }

  /** Closes the minute and publishes what it changed. */
  async endMinute(): Promise<void> {
    await this.#parts.cycle.run();
    this.#sendSoon();
    await this.#announceChanges();
    await this.#announceNews();
    if (this.#parts.tenantJobs?.evaluate() === true) await this.#reporter.publishReported();
    await this.evaluatePower();
  }

  #sendSoon(): void {
    const { sendDelayMs = 0 } = this.#parts;
    clearTimeout(this.#sending);
    if (sendDelayMs === 0) void this.drainOutbox();
    else this.#sending = setTimeout(() => void this.drainOutbox(), sendDelayMs);
  }

  async evaluatePower(): Promise<void> {
    const { membership, power, cycle, record, felt } = this.#parts;
    const nowMs = this.#parts.nowMs();
    const { desired, role } = membership;
    const modeBefore = power.currentMode?.name;
    await power.evaluate({
      forecast: cycle.lastForecast,
      liveQps: record.liveQps(nowMs),
      felt: felt.felt(),
      role,
      desiredMode: desired?.powerMode ?? null,
      desiredModeCap: desired?.powerModeCap ?? null,
      desiredModeUntilMs: desired?.powerModeUntilMs ?? null,
      desiredModeCapUntilMs: desired?.powerModeCapUntilMs ?? null,
      nowMs,
    });
    if (power.currentMode?.name !== modeBefore) await this.#reporter.publishReported();
  }

  /** Passes an order for another version on, and reports what becomes of it. */
  async evaluateUpdates(): Promise<void> {
    const { updates, membership } = this.#parts;
    if ((await updates?.evaluate(membership.desired?.update ?? null)) === true) await this.#reporter.publishReported();
  }

  async evaluateSleep(): Promise<void> {
    const { membership, serving, outbox, power } = this.#parts;
    // A drain by command ends with time, and so do peers that are not named again.
    await this.#follow(false);
    await this.#sleep.evaluate({
      role: membership.role,
      requestsInFlight: serving.inFlight(),
      outboxRecords: outbox.size().entries,
      controllerOnline: membership.controllerOnline,
      servingPeers: membership.servingPeers().length,
      boardInUse: power.status().leftAlone,
      nowMs: this.#parts.nowMs(),
    });
  }

  /** Sends waiting records. They wait until the controller is online: before that nobody stores them. */
  async drainOutbox(): Promise<void> {
    if (this.#parts.waitForController && !this.#parts.membership.controllerOnline) return;
    await this.#sender.drain().catch(this.#logFailure("sending records"));
  }

  #listener(): FleetListener {
    const { membership, sleepConfig, access } = this.#parts;
    return {
      ...(access === undefined ? {} : { onAccess: (told) => this.#takeAccess(access, told) }),
      onPeerPresence: (presence) => {
        membership.observePresence(presence);
        this.#sleep.observePeer(presence);
        this.#followSoon();
      },
      ...(sleepConfig.wakeCommand.length === 0
        ? {}
        : { onPeerDesired: (document) => this.#sleep.observePeerDesired(document) }),
      onPeerForgotten: (peerId) => {
        membership.forgetPeer(peerId);
        this.#sleep.forgetPeer(peerId);
        this.#followSoon();
      },
      onControllerState: (state) => {
        if (membership.observeController(state)) this.#sender.restart();
        this.#followSoon();
        void this.drainOutbox();
      },
      onDesired: (document) => {
        if (!membership.accept(document)) return;
        this.#followSoon(true);
        this.evaluateUpdates().catch(this.#logFailure("following an update"));
      },
      onAck: (ack) => {
        this.#sender.acknowledge(ack);
        if (this.#parts.tenantJobs?.evaluate() === true) this.#reportSoon();
      },
      onCommand: () => this.#drainByCommand(),
      onConnected: () => {
        this.#followSoon();
        void this.drainOutbox();
      },
    };
  }

  #takeAccess(access: Pick<FleetKeys, "accept" | "jobs">, told: FleetAccess): void {
    access.accept(told);
    if (this.#parts.tenantJobs?.follow(access.jobs()) === true) this.#reportSoon();
  }

  /** Reports without being awaited: a message handler must not wait for a publish. */
  #reportSoon(): void {
    this.#reporter.publishReported().catch(this.#logFailure("reporting"));
  }

  /** Takes the role and the power mode that follow from the fleet's messages, and reports. */
  async #follow(alwaysReport: boolean): Promise<void> {
    const changed = this.#parts.membership.refresh();
    if (changed) await this.#reporter.publishPresence();
    if (!changed && !alwaysReport) return;
    await this.evaluatePower();
    await this.#reporter.publishReported();
  }

  /** Follows without being awaited: a message handler must not wait for a publish. */
  #followSoon(alwaysReport = false): void {
    this.#follow(alwaysReport).catch(this.#logFailure("following the fleet"));
  }

  #drainByCommand(): Promise<string> {
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
    return this.#draining;
  }

  async #drain(): Promise<string> {
    const { membership, serving, nowMs } = this.#parts;
    membership.drain(nowMs() + drainedForMs);
    await this.#follow(true);
    while (serving.inFlight() > 0) {
      if (membership.decision.source !== "command")
        throw new Error("newer instructions arrived before everything was finished");
      await Bun.sleep(20);
    }
    return `nothing is in flight; drained for ${drainedForMs / minuteMs} minutes, or until new instructions from the controller`;
  }

  /** Publishes models and board when they have changed: the controller counts on no agent without a model, and chooses by the board's modes. */
  async #announceChanges(): Promise<void> {
    const { models, board } = this.#parts.self.birth();
    const now = JSON.stringify({ models, board });
    if (now === this.#announced) return;
    this.#announced = now;
    await this.#reporter.publishBirth();
    await this.#reporter.publishPresence();
  }

  /** Reports when what the broker or the device refuses, or its training, has changed: the controller tells people who do not look at each device. */
  async #announceNews(): Promise<void> {
    const { brokerRefuses = [], orderRefused, training } = this.#parts.self.reported();
    const { state = "waiting", last = null } = training ?? {};
    const now = JSON.stringify([
      ...brokerRefuses,
      ...(orderRefused === undefined ? [] : [orderRefused]),
      ...(state === "waiting" && last === null ? [] : [state, last]),
    ]);
    if (now === this.#announcedNews) return;
    this.#announcedNews = now;
    await this.#reporter.publishReported();
  }

  #logFailure(what: string) {
    return (error: unknown) => this.#parts.log.error({ err: describeError(error) }, `${what} failed`);
  }
}
