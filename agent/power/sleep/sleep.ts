import { runCommand } from "#agent/power/device/run-command.ts";
import type { Logger } from "#platform/log.ts";
import type { AgentRole, Desired, Presence } from "#protocol/messages.ts";
import { decideSleep, type SleepInputs } from "./decide-sleep.ts";
import { decideWake } from "./decide-wake.ts";
import { fillCommand } from "./fill-command.ts";
import type { SleepConfig } from "./sleep-config.ts";
import { suspend } from "./suspend.ts";

export type SleepCircumstances = Omit<SleepInputs, "canSuspend" | "afterMs" | "standbySinceMs">;

/** Puts this device to sleep while nobody needs it, and wakes peers that are needed. */
export interface Sleep {
  observePeer(presence: Presence): void;
  observePeerDesired(document: Desired): void;
  forgetPeer(agentId: string): void;
  /** Decides and acts; when it goes to sleep this resolves once it is awake again. Never rejects for what a command does wrong. */
  evaluate(circumstances: SleepCircumstances): Promise<void>;
  /** What presence says of it while it sleeps. */
  asleep(): NonNullable<Presence["asleep"]>;
  stop(): void;
}

const wakeTimeoutMs = 10_000;
/** No more peers are remembered. */
const mostPeers = 10_000;

function hostOf(url: string): string {
  return URL.parse(url)?.hostname.replace(/^\[(.*)\]$/, "$1") ?? "";
}

export function createSleep(deps: {
  readonly config: SleepConfig;
  readonly agentId: string;
  /** Says that it goes, and leaves the broker. */
  readonly leave: () => Promise<void>;
  /** Comes back to the broker. */
  readonly comeBack: () => Promise<void>;
  readonly log: Logger;
}): Sleep {
  const { config, agentId, log } = deps;
  const stopping = new AbortController();
  const sleepers = new Map<string, { readonly presence: Presence; triedAtMs: number | null }>();
  const desiredRoles = new Map<string, AgentRole>();
  let standbySinceMs: number | null = null;

  const wake = async (peerId: string, nowMs: number) => {
    const sleeper = sleepers.get(peerId);
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
    if (exitCode === 0) log.info({ peer: peerId }, "a sleeping peer is wanted: woken");
    else
      log.error(
        { peer: peerId, command: command[0], reason: output.trim().slice(0, 500) },
        "a sleeping peer can't be woken",
      );
  };

  return {
    observePeer(presence) {
      if (presence.agentId === agentId) return;
      const isKept = sleepers.size < mostPeers || sleepers.has(presence.agentId);
      if (presence.status === "online" && presence.asleep !== undefined && isKept)
        sleepers.set(presence.agentId, { presence, triedAtMs: null });
      else sleepers.delete(presence.agentId);
    },
    observePeerDesired(document) {
      if (desiredRoles.size < mostPeers || desiredRoles.has(document.agentId))
        desiredRoles.set(document.agentId, document.role);
    },
    forgetPeer(peerId) {
      sleepers.delete(peerId);
      desiredRoles.delete(peerId);
    },
    async evaluate(circumstances) {
      const { role, nowMs } = circumstances;
      if (role !== "standby") standbySinceMs = null;
      else standbySinceMs ??= nowMs;
      if (config.wakeCommand.length > 0) {
        const wanted = decideWake({
          ownRole: role,
          sleeping: [...sleepers].map(([peerId, { triedAtMs }]) => ({
            agentId: peerId,
            desiredRole: desiredRoles.get(peerId) ?? null,
            triedAtMs,
          })),
          retryMs: config.wakeRetryS * 1000,
          nowMs,
        });
        await Promise.all(wanted.map((peerId) => wake(peerId, nowMs)));
      }
      const decision = decideSleep({
        ...circumstances,
        canSuspend: config.suspendCommand.length > 0,
        afterMs: config.afterS * 1000,
        standbySinceMs,
      });
      if (decision.kind === "stay" || stopping.signal.aborted) return;
      log.info({ reason: decision.reason }, "going to sleep");
      await deps.leave();
      await suspend(config.suspendCommand, stopping.signal, log);
      // Counted anew: nobody is put to sleep again at once.
      standbySinceMs = null;
      if (stopping.signal.aborted) return;
      log.info("awake");
      await deps.comeBack();
    },
    asleep: () => ({ mac: config.mac }),
    stop: () => stopping.abort(),
  };
}
