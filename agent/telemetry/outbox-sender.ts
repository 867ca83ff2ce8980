import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import type { Broker } from "#protocol/broker.ts";
import { encodeFitted } from "#protocol/codec.ts";
import { type Ack, MinuteData } from "#protocol/messages.ts";
import { agentTopic } from "#protocol/topics.ts";
import type { MinuteKey, Outbox, OutboxEntry } from "./outbox.ts";

/** Maximum time after its minute in which a record is sent as live; later it is historical. */
const liveMs = 150_000;
/** Maximum records that wait for the controller's acknowledgement. */
const maxUnanswered = 16;
/** Time to wait for it, and the longest pause after a silence. Real time: a broker and a controller lie between. */
const answerTimes = { waitMs: 30 * secondMs, maxPauseMs: 10 * minuteMs };

export interface OutboxSenderParts {
  readonly outbox: Pick<Outbox, "oldest" | "remove">;
  readonly broker: Pick<Broker, "connected" | "publish">;
  readonly identity: { readonly fleet: string; readonly agentId: string; readonly bootId: string };
  /** True while the controller acknowledges what it has stored; else the broker's acknowledgement has to do. */
  readonly controllerAnswers: () => boolean;
  /** Called when the controller has not answered in time: is anything delivered to this agent at all? */
  readonly onSilence?: () => void;
  readonly nowMs: () => number;
  readonly realNowMs?: () => number;
  readonly times?: typeof answerTimes;
  readonly log: Logger;
}

/** Records that the broker took and the controller has not confirmed. */
export interface Unconfirmed {
  readonly records: number;
  /** Times that the controller has not answered within half a minute, in a row. */
  readonly silences: number;
}

/**
 * Sends waiting records, oldest first. A record leaves the outbox when the controller says that it has stored it: brokers acknowledge messages
 * that nobody gets, and those of MQTT 3.1.1 even what they forbid.
 */
export class OutboxSender {
  readonly #parts: OutboxSenderParts;
  readonly #times: typeof answerTimes;
  readonly #topic: string;
  readonly #realNowMs: () => number;
  /** Records that were sent in this connection and are not stored as far as is known, by id. */
  readonly #unanswered = new Map<number, MinuteKey>();
  /** Records that the broker does not take now, e.g. for their size. */
  readonly #skipped = new Set<number>();
  #silences = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #answered: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(parts: OutboxSenderParts) {
    this.#parts = parts;
    this.#times = parts.times ?? answerTimes;
    this.#realNowMs = parts.realNowMs ?? (() => performance.now());
    this.#topic = agentTopic(parts.identity.fleet, parts.identity.agentId, "data");
  }

  get unconfirmed(): Unconfirmed {
    return { records: this.#unanswered.size, silences: this.#silences };
  }

  /** Sends until the outbox is empty, the broker fails or the controller does not answer. Calls meanwhile join the same run. */
  drain(): Promise<void> {
    this.#running ??= this.#send().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Starts anew with another connection or controller: what was not answered is sent again. */
  restart(): void {
    this.#unanswered.clear();
    this.#skipped.clear();
    this.#pausedUntilMs = Number.NEGATIVE_INFINITY;
    this.#answered?.();
  }

  /** Takes in an acknowledgement: removes the records that are stored, and those that never will be. */
  acknowledge({ stored, refused }: Ack): void {
    const { outbox, log } = this.#parts;
    for (const [id, { bootId, seq }] of [...this.#unanswered]) {
      const isStored = stored.some((run) => run.bootId === bootId && run.fromSeq <= seq && seq <= run.toSeq);
      const refusal = refused.find((each) => each.bootId === bootId && each.seq === seq);
      if (!isStored && refusal === undefined) continue;
      this.#unanswered.delete(id);
      if (isStored) outbox.remove(id);
      else {
        log.error({ bootId, seq, reason: refusal?.reason }, "the controller refuses a minute's record: dropped");
        outbox.remove(id, "refused");
      }
      this.#silences = 0;
      this.#answered?.();
    }
  }

  async #send(): Promise<void> {
    const { outbox, broker, controllerAnswers } = this.#parts;
    if (this.#realNowMs() < this.#pausedUntilMs) return;
    while (broker.connected) {
      const isFull = this.#unanswered.size >= maxUnanswered;
      const entry = isFull ? null : outbox.oldest(new Set([...this.#unanswered.keys(), ...this.#skipped]));
      if (entry === null) {
        if (this.#unanswered.size === 0 || !(await this.#answer())) return;
        continue;
      }
      // Read before it is sent: a controller that comes meanwhile has not said that it answers.
      const waits = controllerAnswers();
      if (waits) this.#unanswered.set(entry.id, { bootId: entry.data.bootId, seq: entry.data.seq });
      const sent = await this.#publish(entry);
      if (sent === "stopped") {
        this.#unanswered.delete(entry.id);
        return;
      }
      if (sent === "skipped") this.#unanswered.delete(entry.id);
      if (sent === "sent" && !waits) outbox.remove(entry.id);
    }
  }

  async #publish(entry: OutboxEntry): Promise<"sent" | "skipped" | "stopped"> {
    const { outbox, broker, identity, nowMs, log } = this.#parts;
    const { data } = entry;
    const endMs = data.traffic.minuteStartMs + data.traffic.observedMs;
    const historical = data.bootId !== identity.bootId || nowMs() - endMs > liveMs;
    const payload = this.#encode({ ...data, historical });
    if (payload === null) {
      outbox.remove(entry.id, "unsendable");
      return "skipped";
    }
    try {
      await broker.publish(this.#topic, payload, { retain: false, needsReader: true });
      return "sent";
    } catch (error) {
      // The record stays in the outbox; the next minute or connection tries again.
      log.debug({ err: describeError(error) }, "sending from the outbox stopped");
      if (!(error instanceof ServiceError) || error.code !== "PAYLOAD_TOO_LARGE") return "stopped";
      this.#skipped.add(entry.id);
      return "skipped";
    }
  }

  /** Encodes a record. Returns null for one that no longer fits its schema (written by another version); figures out of bounds are clamped. */
  #encode(data: MinuteData): string | null {
    const { log } = this.#parts;
    const { bootId, seq } = data;
    try {
      return encodeFitted(MinuteData, data, (reason) =>
        log.warn({ bootId, seq, reason }, "a minute's record was clamped to its bounds"),
      );
    } catch (error) {
      log.error({ bootId, seq, err: describeError(error) }, "a minute's record can't be sent: dropped");
      return null;
    }
  }

  /** Waits for an acknowledgement; false when none came in time. */
  async #answer(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), this.#times.waitMs);
    this.#answered = () => resolve(true);
    const isAnswered = await promise;
    clearTimeout(timer);
    this.#answered = undefined;
    if (!isAnswered) this.#noteSilence();
    return isAnswered;
  }

  #noteSilence(): void {
    const { log, onSilence } = this.#parts;
    const { waitMs, maxPauseMs } = this.#times;
    this.#silences += 1;
    this.#pausedUntilMs = this.#realNowMs() + Math.min(maxPauseMs, waitMs * 2 ** Math.min(this.#silences - 1, 10));
    const records = this.#unanswered.size;
    log.warn(
      { records, topic: this.#topic, silences: this.#silences },
      "the broker took records that the controller has not confirmed; they are kept and sent again",
    );
    // One that is stored nevertheless is acknowledged again when it comes again.
    this.#unanswered.clear();
    onSilence?.();
  }
}
