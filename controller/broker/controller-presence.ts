import { describeError } from "#platform/errors.ts";
import { type CountedLog, createCountedLog, type Logger } from "#platform/log.ts";
import { version } from "#platform/version.ts";
import type { Broker } from "#protocol/broker.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { ControllerProbe, ControllerState } from "#protocol/messages.ts";
import { controllerProbeTopic, controllerStateTopic } from "#protocol/topics.ts";
import { decideSoleController } from "./decide-sole-controller.ts";
import { explainSoleController } from "./explain-sole-controller.ts";
import { createPublishPace } from "./publish-pace.ts";

export interface ControllerPresenceParts {
  readonly fleet: string;
  readonly broker: () => Broker;
  readonly instanceId: string;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Another controller acts at the same broker, was there first, and answers: this one has to stand by. */
  readonly onReplaced: () => void;
  /** Tells if this controller leads, where a lease decides that: then no claim at the broker does. Default: claims are judged. */
  readonly isLeading?: () => boolean;
}

/** Time within which a running controller answers a probe; no other probe is sent meanwhile. */
const answerMs = 2000;
/** Maximum messages per second that other clients can make this controller publish. */
const maxWordsPerS = 10;

/** Publishes a controller's state on its fleet's topic, and settles which of several controllers acts. */
export class ControllerPresence {
  readonly #parts: ControllerPresenceParts;
  readonly #counted: CountedLog;
  readonly #topic: string;
  readonly #sinceMs = Date.now();
  readonly #pace = createPublishPace({ messagesPerS: maxWordsPerS, bytesPerS: 1, burstS: 1 }, () => performance.now());
  #storesSinceMs: number | undefined;
  #isAnnounced = false;
  #isLeaving = false;
  /** Nonce of the open probe, or null. */
  #asked: string | null = null;

  constructor(parts: ControllerPresenceParts) {
    this.#parts = parts;
    this.#counted = createCountedLog(parts.log, Date.now);
    this.#topic = controllerStateTopic(parts.fleet);
  }

  /** Payload of the last will. */
  offline(): string {
    return this.#stateOf("offline");
  }

  /** Answers probes and judges other controllers' claims, at a broker where others can publish. Called before the start. */
  watch(): void {
    const broker = this.#parts.broker();
    broker.subscribe(controllerProbeTopic(this.#parts.fleet), ({ payload }) => {
      const probe = decodeMessage(ControllerProbe, payload);
      if (probe.ok && probe.message.nonce !== this.#asked) this.#sayAgain(probe.message.nonce);
    });
    broker.subscribe(this.#topic, ({ payload, retained }) => this.#onState(payload, retained));
  }

  /** Publishes that the controller is online; called once connected. */
  async announce(): Promise<void> {
    this.#isAnnounced = true;
    await this.#say("online");
  }

  /** Publishes that records can be stored again: agents need not wait to send what was not. */
  async announceStore(): Promise<void> {
    this.#storesSinceMs = Math.round(this.#parts.nowMs());
    await this.#say("online");
  }

  /** Publishes that the controller is offline, unless another one has taken over. */
  async sayOffline(): Promise<void> {
    const wasReplaced = this.#isLeaving || this.#parts.isLeading?.() === false;
    this.#isLeaving = true;
    if (!wasReplaced && this.#parts.broker().connected) await this.#say("offline");
  }

  #stateOf(status: ControllerState["status"], answers?: string): string {
    const { instanceId, nowMs } = this.#parts;
    return encodeMessage(ControllerState, {
      ...{
        v: 1,
        status,
        instanceId,
        version,
        sentAtMs: Math.round(nowMs()),
        sinceMs: this.#sinceMs,
        acknowledges: true,
      },
      ...(this.#storesSinceMs === undefined ? {} : { storesSinceMs: this.#storesSinceMs }),
      ...(answers === undefined ? {} : { answers }),
    });
  }

  #say(status: ControllerState["status"], answers?: string): Promise<void> {
    return this.#parts.broker().publish(this.#topic, this.#stateOf(status, answers), { retain: true });
  }

  #mayPublish(): boolean {
    const isAllowed = this.#pace.tryTake(1);
    if (!isAllowed) this.#counted.note("too many messages on the controller's topics; they are ignored", {});
    return isAllowed;
  }

  /** Not awaited within: a message handler must not wait for a publish. */
  #sayAgain(answers?: string): void {
    if (this.#isLeaving || !this.#isAnnounced || !this.#mayPublish()) return;
    this.#say("online", answers).catch((error) =>
      this.#parts.log.warn({ err: describeError(error) }, "announcing this controller failed"),
    );
  }

  #ask(reason: string): void {
    if (this.#asked !== null || !this.#mayPublish()) return;
    const { fleet, broker, log } = this.#parts;
    const nonce = crypto.randomUUID();
    this.#asked = nonce;
    this.#counted.note("another controller claims to act for this fleet: probing it", { fleet, reason });
    broker()
      .publish(controllerProbeTopic(fleet), encodeMessage(ControllerProbe, { v: 1, nonce }), { retain: false })
      .catch((error) => log.warn({ err: describeError(error) }, "probing another controller failed"));
    setTimeout(() => {
      this.#asked = null;
      if (this.#isLeaving) return;
      this.#counted.note("no answer: the claim that another controller acts is ignored", { fleet });
      this.#sayAgain();
    }, answerMs).unref();
  }

  #onState(payload: Uint8Array, retained: boolean): void {
    const decoded = decodeMessage(ControllerState, payload);
    // A retained state may be that of a controller that no longer runs.
    if (!decoded.ok || retained || !this.#isAnnounced || this.#isLeaving) return;
    const { fleet, instanceId, isLeading, log, onReplaced } = this.#parts;
    if (isLeading !== undefined) {
      // Such as the last will of the one before, whose connection ended late.
      if (isLeading() && decoded.message.instanceId !== instanceId) this.#sayAgain();
      return;
    }
    const { answers } = decoded.message;
    const claim = { ...decoded.message, answersUs: this.#asked !== null && answers === this.#asked };
    const decision = decideSoleController({ instanceId, sinceMs: this.#sinceMs }, claim, Date.now());
    const reason = explainSoleController(decision);
    if (decision.kind === "ask") this.#ask(reason);
    if (decision.kind === "insist") {
      // The reason is no part of the counted kind: forged names would make one kind each.
      this.#counted.note("this controller repeats that it acts for the fleet", { fleet, reason });
      this.#sayAgain();
    }
    if (decision.kind === "yield") {
      log.error(`${reason}: this one stops deciding`);
      this.#isLeaving = true;
      onReplaced();
    }
  }
}
