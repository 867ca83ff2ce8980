import { randomUUID } from "node:crypto";
import type { Clock } from "#platform/clock.ts";
import { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { hourMs, minuteMs, secondMs } from "#platform/time.ts";
import type { KeptStore } from "../store/store.ts";
import { type AlertRule, type AlertSeverity, alertRules } from "./alert-rules.ts";
import type { AlertsConfig, NotifierConfig } from "./alerts-config.ts";
import { type Alert, type AlertReading, alertKey, decideAlert } from "./decide-alert.ts";
import { explainAlert } from "./explain-alert.ts";
import { KeptAlerts } from "./kept-alerts.ts";
import { NoticeQueue, type NotifierStatus } from "./notify/notice-queue.ts";
import type { Notice, Notifier } from "./notify/notifier.ts";
import type { RuleValue } from "./read-service.ts";
import { isSilenced, type Silence } from "./silence.ts";

export interface AlertMonitorParts {
  readonly config: AlertsConfig;
  readonly notifiers: readonly Notifier[];
  readonly store: KeptStore;
  /** Reads the built-in rules' values. */
  readonly values: () => Promise<readonly RuleValue[]>;
  /** Reads what other rules watch, such as budgets. */
  readonly readings: () => Promise<readonly AlertReading[]>;
  readonly clock: Clock;
  readonly log: Logger;
}

const keptAs = "alerts";
const rank: Readonly<Record<AlertSeverity, number>> = { info: 0, warning: 1, critical: 2 };
/** Most alerts at once, and silences: beyond them new ones are not taken. */
const maxAlerts = 1000;
const maxSilences = 200;

interface Channel {
  readonly config: NotifierConfig;
  readonly queue: NoticeQueue;
  /** Status and time of the last notice, by alert. */
  readonly told: Map<string, { readonly status: string; readonly atMs: number }>;
}

/** Computes the alerts each minute and tells the notifiers. A notifier that does not answer delays nothing here. */
export class AlertMonitor {
  readonly #parts: AlertMonitorParts;
  readonly #channels: readonly Channel[];
  #alerts = new Map<string, Alert>();
  #silences: Silence[] = [];
  #omitted = 0;
  #lookedAtMs: number | null = null;

  constructor(parts: AlertMonitorParts) {
    this.#parts = parts;
    const { config, notifiers, clock, log } = parts;
    this.#channels = config.notifiers.flatMap((each) => {
      const notifier = notifiers.find(({ name }) => name === each.name);
      if (notifier === undefined) return [];
      // An Alertmanager does its own grouping and expects repeated notices of continuing alerts.
      const groups = each.kind !== "alertmanager";
      const waitMs = groups ? config.groupWaitS * secondMs : 0;
      const intervalMs = groups ? config.groupIntervalS * secondMs : 0;
      return { config: each, queue: new NoticeQueue({ notifier, clock, log, waitMs, intervalMs }), told: new Map() };
    });
  }

  /** Loads what an earlier run knew. */
  async recover(): Promise<void> {
    const kept = await this.#parts.store.loadKept(keptAs, KeptAlerts);
    if (kept === null) return;
    this.#alerts = new Map(kept.alerts.map((alert) => [alert.key, alert]));
    this.#silences = [...kept.silences];
    for (const { notifier, key, status, atMs } of kept.told)
      this.#channels.find(({ config }) => config.name === notifier)?.told.set(key, { status, atMs });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#channels.map(({ queue }) => queue.stop()));
  }

  /** Lists alerts, firing ones first. */
  alerts(): readonly (Alert & { readonly silenced: boolean; readonly text: string })[] {
    const nowMs = this.#parts.clock.nowMs();
    const order = { firing: 0, pending: 1, resolved: 2 } as const;
    return [...this.#alerts.values()]
      .sort((a, b) => order[a.status] - order[b.status] || rank[b.severity] - rank[a.severity] || b.sinceMs - a.sinceMs)
      .map((alert) => ({
        ...alert,
        silenced: isSilenced(alert, this.#silences, nowMs),
        text: explainAlert(alert, nowMs),
      }));
  }

  notifiers(): NotifierStatus[] {
    return this.#channels.map(({ queue }) => queue.status());
  }

  /** Alerts that could not be taken because there were too many. */
  omitted(): number {
    return this.#omitted;
  }

  /** Time of the newest look at all rules; null before the first. */
  lookedAtMs(): number | null {
    return this.#lookedAtMs;
  }

  /** Lists silences that hold or will, the next to end first. */
  silences(): Silence[] {
    const nowMs = this.#parts.clock.nowMs();
    return this.#silences.filter(({ untilMs }) => untilMs > nowMs).sort((a, b) => a.untilMs - b.untilMs);
  }

  /** Silences alerts for a time. */
  async silence(given: Pick<Silence, "rule" | "labels" | "reason" | "by">, forS: number): Promise<Silence> {
    const sinceMs = this.#parts.clock.nowMs();
    const silences = this.silences();
    if (silences.length >= maxSilences)
      throw new ServiceError("CONFLICT", `expected at most ${maxSilences} silences: end one first`);
    const silence = { id: randomUUID(), ...given, sinceMs, untilMs: sinceMs + forS * secondMs };
    this.#silences = [...silences, silence];
    await this.#keep();
    return silence;
  }

  /** Ends a silence. @throws ServiceError when there is none of this id */
  async endSilence(id: string): Promise<void> {
    const left = this.silences().filter((silence) => silence.id !== id);
    if (left.length === this.silences().length) throw new ServiceError("NOT_FOUND", `there is no silence "${id}"`);
    this.#silences = left;
    await this.#keep();
  }

  /** Forgets alerts that name a tenant, which are looked for again, and ends silences for it; resolves with their number. */
  async forgetTenant(tenant: string): Promise<number> {
    const names = (text: string) => text.split(/[^A-Za-z0-9._-]+/).includes(tenant);
    const named = [...this.#alerts.values()].filter((alert) => names(JSON.stringify(alert)));
    for (const { key } of named) this.#alerts.delete(key);
    for (const { told } of this.#channels) for (const key of told.keys()) if (names(key)) told.delete(key);
    const silences = this.#silences.filter(({ labels }) => labels.every(({ value }) => value !== tenant));
    const ended = this.#silences.length - silences.length;
    this.#silences = silences;
    await this.#keep();
    return named.length + ended;
  }

  /** Tells all notifiers something that is no alert: a test, or the day's digest. */
  announce(status: "test" | "digest", summary: string, text: string): number {
    const atMs = this.#parts.clock.nowMs();
    const channels = this.#channels.filter(({ config }) => status === "test" || config.digest);
    const notice: Notice = {
      ...{ key: `${status},${atMs}`, status, severity: "info", rule: status, labels: {}, summary, text },
      ...{ startsAtMs: atMs, endsAtMs: null, atMs },
    };
    for (const { queue } of channels) queue.offer(notice);
    return channels.length;
  }

  /** Looks at all rules once. */
  async look(): Promise<void> {
    const readings = [
      ...(await this.#parts.values()).flatMap((value) => this.#readingOf(value)),
      ...(await this.#parts.readings()),
    ];
    const nowMs = this.#parts.clock.nowMs();
    const next = new Map<string, Alert>();
    const seen = new Set<string>();
    for (const reading of readings) {
      const key = alertKey(reading);
      seen.add(key);
      const alert = decideAlert(this.#alerts.get(key) ?? null, reading, nowMs);
      if (alert !== null) this.#take(next, alert);
    }
    for (const [key, before] of this.#alerts) {
      if (seen.has(key)) continue;
      const alert = decideAlert(before, null, nowMs);
      if (alert !== null) this.#take(next, alert);
    }
    this.#alerts = next;
    this.#lookedAtMs = nowMs;
    for (const channel of this.#channels) this.#tell(channel, nowMs);
    await this.#keep();
  }

  #take(next: Map<string, Alert>, alert: Alert): void {
    if (next.size < maxAlerts) next.set(alert.key, alert);
    else this.#omitted += 1;
  }

  /** Reading of a built-in rule; none where its threshold is null. */
  #readingOf({ rule, labels, value, ...given }: RuleValue): AlertReading[] {
    const { summary, unit, isBelow, severity }: AlertRule = alertRules[rule];
    const { threshold, forS } = this.#parts.config.rules[rule];
    if (threshold === null) return [];
    const forMs = forS * secondMs;
    const detail = given.detail ?? null;
    return [{ rule, labels, value, detail, summary, unit, isBelow, severity, threshold, forMs }];
  }

  /** Offers a notifier what it has not been told: what began, what ended, and now and then what continues. */
  #tell({ config, queue, told }: Channel, nowMs: number): void {
    const repeatMs = config.kind === "alertmanager" ? minuteMs : this.#parts.config.repeatAfterH * hourMs;
    for (const alert of this.#alerts.values()) {
      if (alert.status === "pending" || rank[alert.severity] < rank[config.minSeverity]) continue;
      const before = told.get(alert.key);
      const isNew =
        alert.status === "firing"
          ? before?.status !== "firing" || nowMs - before.atMs >= repeatMs || before.atMs > nowMs
          : before?.status === "firing";
      if (!isNew) continue;
      // Also sends the end of each alert that was sent, so that it does not stay open anywhere.
      if (alert.status === "firing" && isSilenced(alert, this.#silences, nowMs)) continue;
      told.set(alert.key, { status: alert.status, atMs: nowMs });
      queue.offer(noticeOf(alert, nowMs));
    }
    for (const [key, { status, atMs }] of told)
      if (
        !this.#alerts.has(key) &&
        (status !== "firing" || nowMs - atMs > 2 * this.#parts.config.repeatAfterH * hourMs)
      )
        told.delete(key);
  }

  async #keep(): Promise<void> {
    const told = this.#channels.flatMap((channel) =>
      [...channel.told].map(([key, { status, atMs }]) => ({ notifier: channel.config.name, key, status, atMs })),
    );
    const kept: KeptAlerts = { alerts: [...this.#alerts.values()], told, silences: this.silences() };
    await this.#parts.store.saveKept(keptAs, kept);
  }
}

function noticeOf(alert: Alert, nowMs: number): Notice {
  const { key, status, severity, rule, labels, summary, firingSinceMs, sinceMs, resolvedAtMs } = alert;
  return {
    ...{ key, status: status as "firing" | "resolved", severity, rule, labels, summary },
    ...{ text: explainAlert(alert, nowMs), startsAtMs: firingSinceMs ?? sinceMs, endsAtMs: resolvedAtMs, atMs: nowMs },
  };
}
