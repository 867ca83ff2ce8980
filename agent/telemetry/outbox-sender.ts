import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import { encodeFitted } from "#protocol/codec.ts";
import { MinuteData } from "#protocol/messages.ts";
import { agentTopic } from "#protocol/topics.ts";
import type { Outbox } from "./outbox.ts";

/** A record is live when it is sent within this time after its minute; later it is history. */
const liveMs = 150_000;

export interface OutboxSender {
  /** Sends what waits, oldest first, until the outbox is empty or the broker fails. Calls while it runs are part of the same run. */
  drain(): Promise<void>;
}

export function createOutboxSender(
  outbox: Outbox,
  broker: Broker,
  identity: { readonly fleet: string; readonly agentId: string; readonly bootId: string },
  nowMs: () => number,
  log: Logger,
): OutboxSender {
  const topic = agentTopic(identity.fleet, identity.agentId, "data");
  let running: Promise<void> | undefined;

  /** A record that no longer fits its schema (written by another version) must not block those behind it; a figure out of bounds does not cost it. */
  const encode = (data: MinuteData): string | null => {
    try {
      return encodeFitted(MinuteData, data, (reason) =>
        log.warn({ bootId: data.bootId, seq: data.seq, reason }, "a minute's record was clamped to its bounds"),
      );
    } catch (error) {
      log.error(
        { bootId: data.bootId, seq: data.seq, err: describeError(error) },
        "a minute's record can't be sent: dropped",
      );
      return null;
    }
  };

  const send = async () => {
    while (broker.connected) {
      const entry = outbox.oldest();
      if (entry === null) return;
      const { data } = entry;
      const endMs = data.traffic.minuteStartMs + data.traffic.observedMs;
      const historical = data.bootId !== identity.bootId || nowMs() - endMs > liveMs;
      const payload = encode({ ...data, historical });
      if (payload === null) {
        outbox.remove(entry.id, "unsendable");
        continue;
      }
      try {
        await broker.publish(topic, payload, { retain: false });
      } catch (error) {
        // It stays in the outbox; the next minute or the next connection tries again.
        log.debug({ err: describeError(error) }, "sending from the outbox stopped");
        return;
      }
      outbox.remove(entry.id);
    }
  };

  return {
    drain() {
      running ??= send().finally(() => {
        running = undefined;
      });
      return running;
    },
  };
}
