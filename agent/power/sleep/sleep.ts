import type { Logger } from "#platform/log.ts";
import { runCommand } from "#platform/process/run-command.ts";
import { secondMs } from "#platform/time.ts";
import type { AgentRole, Desired, Presence } from "#protocol/messages.ts";
import { decideSleep, type SleepInputs } from "./decide-sleep.ts";
import { decideWake } from "./decide-wake.ts";
import { explainSleep } from "./explain-sleep.ts";
import { fillCommand } from "./fill-command.ts";
import type { SleepConfig } from "./sleep-config.ts";
import { suspend } from "./suspend.ts";

export type SleepCircumstances = Omit<SleepInputs, "canSuspend" | "afterMs" | "standbySinceMs">;

const wakeTimeoutMs = 10_000;
const maxPeers = 10_000;

function hostOf(url: string): string {
  return URL.parse(url)?.hostname.replace(/^\[(.*)\]$/, "$1") ?? "";
}

export interface SleepParts {
  readonly config: SleepConfig;
  readonly agentId: string;
  readonly disconnect: () => Promise<void>;
  readonly reconnect: () => Promise<void>;
  readonly log: Logger;
}

/** Suspends this device while it is not needed, and wakes peers that are needed. */
export class Sleep {
  readonly #parts: SleepParts;
  readonly #stopping = new AbortController();
  readonly #sleepers = new Map<string, { readonly presence: Presence; triedAtMs: number | null }>();
  readonly #desiredRoles = new Map<string, AgentRole>();
  #standbySinceMs: number | null = null;

  constructor(parts: SleepParts) {
    this.#parts = parts;
  }

  observePeer(presence: Presence): void {
    const sleepers = this.#sleepers;
    if (presence.agentId === this.#parts.agentId) return;
    const isKept = sleepers.size < maxPeers || sleepers.has(presence.agentId);
    if (presence.status === "online" && presence.asleep !== undefined && isKept)
      sleepers.set(presence.agentId, { presence, triedAtMs: null });
    else sleepers.delete(presence.agentId);
  }

  observePeerDesired({ agentId, role }: Desired): void {
    const roles = this.#desiredRoles;
    if (roles.size < maxPeers || roles.has(agentId)) roles.set(agentId, role);
  }

  forgetPeer(peerId: string): void {
    this.#sleepers.delete(peerId);
    this.#desiredRoles.delete(peerId);
  }

  /** Decides and acts; a sleep resolves once the device is awake again. Never rejects for a command that fails. */
  async evaluate(circumstances: SleepCircumstances): Promise<void> {
    const { role, nowMs } = circumstances;
    const { config, log } = this.#parts;
    const { signal } = this.#stopping;
    if (role !== "standby") this.#standbySinceMs = null;
    else this.#standbySinceMs ??= nowMs;
    if (config.wakeCommand.length > 0) await this.#wakePeers(role, nowMs);
    const decision = decideSleep({
      ...circumstances,
      canSuspend: config.suspendCommand.length > 0,
      afterMs: config.afterS * secondMs,
      standbySinceMs: this.#standbySinceMs,
    });
    if (decision.kind === "stay" || signal.aborted) return;
    log.info({ reason: explainSleep(decision) }, "going to sleep");
    await this.#parts.disconnect();
    await suspend(config.suspendCommand, signal, log);
    // The device must not be suspended again at once.
    this.#standbySinceMs = null;
    if (signal.aborted) return;
    log.info("awake");
    await this.#parts.reconnect();
  }

  asleep(): NonNullable<Presence["asleep"]> {
    return { mac: this.#parts.config.mac };
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #wakePeers(ownRole: AgentRole, nowMs: number): Promise<void> {
    const needed = decideWake({
      ownRole,
      sleeping: [...this.#sleepers].map(([agentId, { triedAtMs }]) => ({
        agentId,
        desiredRole: this.#desiredRoles.get(agentId) ?? null,
        triedAtMs,
      })),
      retryMs: this.#parts.config.wakeRetryS * secondMs,
      nowMs,
    });
    await Promise.all(needed.map((peerId) => this.#wake(peerId, nowMs)));
  }

  async #wake(peerId: string, nowMs: number): Promise<void> {
    const { config, log } = this.#parts;
    const sleeper = this.#sleepers.get(peerId);
    if (sleeper === undefined) return;
    sleeper.triedAtMs = nowMs;
    const { asleep, url } = sleeper.presence;
    const filled = fillCommand(config.wakeCommand, { agent: peerId, mac: asleep?.mac ?? "", host: hostOf(url) });
    if (filled.kind === "refused") {
      log.warn({ peer: peerId, reason: filled.reason }, "a sleeping peer is needed, but can't be woken");
      return;
    }
    const { command } = filled;
    const { exitCode, output } = await runCommand(command, wakeTimeoutMs);
    const reason = output.trim().slice(0, 500);
    if (exitCode === 0) log.info({ peer: peerId }, "woke a sleeping peer that is needed");
    else log.error({ peer: peerId, command: command[0], reason }, "a sleeping peer can't be woken");
  }
}
