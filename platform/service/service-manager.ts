import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { openDatagramSocket } from "./datagram-socket.ts";
import { longestRunMs } from "./runs-in-progress.ts";

/** Connection to the service manager that started this process, such as systemd; without one nothing is sent. */
export interface ServiceManager {
  /** Tells that the service is up, with a line for `systemctl status`, and that its loops turn from now on. */
  ready(status: string): void;
  status(text: string): void;
  stopping(): void;
}

/** Longest time for a run of a loop; beyond it the loop is stuck, and only a restart helps. */
const stuckMs = 10 * 60_000;

const none: ServiceManager = { ready: () => {}, status: () => {}, stopping: () => {} };

/** Time between two signs of life, ms; null: the service manager wants none of this process. */
export function watchdogPeriodMs(
  environment: Readonly<Record<string, string | undefined>>,
  pid = process.pid,
): number | null {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: wanted } = environment;
  if (!/^[1-9][0-9]{0,15}$/.test(microseconds) || (wanted !== undefined && wanted !== String(pid))) return null;
  // Half of the time allowed, as systemd asks for.
  return Number(microseconds) / 2000;
}

/**
 * Opens the connection that `NOTIFY_SOCKET` names. After {@link ServiceManager.ready} a sign of life follows every half of `WATCHDOG_USEC`, as long as
 * this process' event loop turns and no run of a periodic task is stuck; without it the service manager starts the program again.
 */
export function openServiceManager(
  environment: Readonly<Record<string, string | undefined>>,
  log: Logger,
  longestMs: () => number = longestRunMs,
): ServiceManager {
  const { NOTIFY_SOCKET: path } = environment;
  if (path === undefined || path === "") return none;
  let send: (text: string) => boolean;
  try {
    send = openDatagramSocket(path);
  } catch (error) {
    log.warn({ err: describeError(error), path }, "the service manager can't be told how this service is");
    return none;
  }
  const periodMs = watchdogPeriodMs(environment);
  let pulse: ReturnType<typeof setInterval> | undefined;
  let isStuck = false;
  const beat = () => {
    const lastedMs = longestMs();
    if (lastedMs < stuckMs) send("WATCHDOG=1");
    else if (!isStuck) {
      isStuck = true;
      const lastedS = Math.round(lastedMs / 1000);
      log.error({ lastedS }, "a periodic task does not end: the service manager is left to start this program again");
    }
  };
  return {
    ready(status) {
      send(`READY=1\nSTATUS=${oneLine(status)}`);
      if (periodMs === null || pulse !== undefined) return;
      beat();
      pulse = setInterval(beat, periodMs);
      pulse.unref();
    },
    status: (text) => void send(`STATUS=${oneLine(text)}`),
    stopping: () => void send("STOPPING=1"),
  };
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").slice(0, 256);
