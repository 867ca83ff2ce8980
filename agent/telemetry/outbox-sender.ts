import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import { encodeFitted } from "#protocol/codec.ts";
import { MinuteData } from "#protocol/messages.ts";
import { agentTopic } from "#protocol/topics.ts";
import type { Outbox } from "./outbox.ts";

/** Maximum time after its minute in which a record is sent as live; later it is historical. */
const liveMs = 150_000;

export interface OutboxSender {
  /** Sends waiting records, oldest first, until the outbox is empty or the broker fails. Calls meanwhile join the same run. */
  drain(): Promise<void>;
}

export function createOutboxSender(
  outbox: Pick<Outbox, "oldest" | "remove">,
  broker: Broker,
  identity: { readonly fleet: string; readonly agentId: string; readonly bootId: string },
  nowMs: () => number,
  log: Logger,
): OutboxSender {
  const topic = agentTopic(identity.fleet, identity.agentId, "data");
  let running: Promise<void> | undefined;

  /** Encodes a record. Returns null for one that no longer fits its schema (written by another version); figures out of bounds are clamped. */
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
        // The record stays in the outbox; the next minute or connection tries again.
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
