import { systemClock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { ControllerProbe, ControllerState } from "#protocol/messages.ts";
import { controllerProbeTopic, controllerStateTopic } from "#protocol/topics.ts";

const soleControllerTimes = {
  /** Maximum time to wait for a connection to the broker. */
  connectMs: 3000,
  /** Time within which a running controller answers. */
  answerMs: 2000,
  /** Time after which it is asked again, as it may have ended without a message. */
  askAgainMs: 10_000,
};

/**
 * Waits until no other controller acts for the fleet at an external broker; false when `signal` aborted first. A retained state is not enough:
 * the other controller is probed, and answers if it runs.
 * @param probe is a connection for this alone; it is closed at the end.
 */
export async function awaitSoleController(
  fleet: string,
  probe: Broker,
  log: Logger,
  signal: AbortSignal,
  times = soleControllerTimes,
): Promise<boolean> {
  let other: string | null = null;
  let nonce = "";
  let heard = Promise.withResolvers<void>();
  let connected = Promise.withResolvers<void>();
  probe.subscribe(controllerStateTopic(fleet), ({ payload, retained }) => {
    const decoded = decodeMessage(ControllerState, payload);
    if (!decoded.ok) return;
    const { status, instanceId, answers } = decoded.message;
    // A retained "online" may be that of a controller that has ended; an unasked one may be forged.
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
