import { systemClock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { ControllerProbe } from "#protocol/controller-probe.ts";
import { ControllerState } from "#protocol/messages.ts";
import { controllerProbeTopic, controllerStateTopic } from "#protocol/topics.ts";

export interface SoleControllerTimes {
  /** A broker that can't be reached for so long is not waited for. */
  readonly connectMs: number;
  /** A controller that lives answers within this time. */
  readonly answerMs: number;
  /** While standing by it is asked again after this time, as it may have ended without a word. */
  readonly askAgainMs: number;
}

const soleControllerTimes: SoleControllerTimes = { connectMs: 3000, answerMs: 2000, askAgainMs: 10_000 };

/**
 * Waits until no other controller acts for the fleet at a broker elsewhere. What the broker remembers of one is not enough: it is asked, and
 * whoever lives answers. False when `signal` aborted first.
 * @param probe a connection of its own, closed in the end
 */
export async function awaitSoleController(
  fleet: string,
  probe: Broker,
  log: Logger,
  signal: AbortSignal,
  times: SoleControllerTimes = soleControllerTimes,
): Promise<boolean> {
  let other: string | null = null;
  let nonce = "";
  let heard = Promise.withResolvers<void>();
  let connected = Promise.withResolvers<void>();
  probe.subscribe(controllerStateTopic(fleet), ({ payload, retained }) => {
    const decoded = decodeMessage(ControllerState, payload);
    if (!decoded.ok) return;
    const { status, instanceId, answers } = decoded.message;
    // That one was there once is no news: it may have ended without a word. Nor is it what anybody says unasked.
    if (status === "online" && (retained || answers !== nonce)) return;
    other = status === "online" ? instanceId : null;
    heard.resolve();
    heard = Promise.withResolvers<void>();
  });
  probe.onConnection((isConnected) => {
    if (isConnected) connected.resolve();
    else connected = Promise.withResolvers<void>();
  });
  const within = async (ms: number, event: Promise<void>) => {
    const over = new AbortController();
    await Promise.race([event, systemClock.sleep(ms, AbortSignal.any([signal, over.signal]))]);
    over.abort();
  };
  try {
    await probe.start();
    let told = false;
    while (!signal.aborted) {
      await within(times.connectMs, connected.promise);
      if (!probe.connected) break;
      other = null;
      const answer = heard.promise;
      nonce = crypto.randomUUID();
      const question = encodeMessage(ControllerProbe, { v: 1, nonce });
      await probe.publish(controllerProbeTopic(fleet), question, { retain: false }).catch(() => undefined);
      await within(times.answerMs, answer);
      if (other === null) break;
      if (!told) {
        const note = "another controller acts for this fleet at the same broker: standing by until it ends";
        log.warn({ fleet, other }, note);
        told = true;
      }
      await within(times.askAgainMs, heard.promise);
    }
    return !signal.aborted;
  } finally {
    await probe.stop();
  }
}
