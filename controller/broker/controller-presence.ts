import { describeError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import { version } from "#platform/version.ts";
import type { Broker } from "#protocol/broker.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { ControllerProbe } from "#protocol/controller-probe.ts";
import { ControllerState } from "#protocol/messages.ts";
import { controllerProbeTopic, controllerStateTopic } from "#protocol/topics.ts";
import { decideSoleController } from "./decide-sole-controller.ts";

/** Publishes a controller's state on its fleet's topic, and settles which of several controllers acts. */
export interface ControllerPresence {
  /** The last will. */
  offline(): string;
  /** Answers probes and judges other controllers' claims, at a broker where others can publish. Called before the start. */
  watch(): void;
  /** Says that the controller is online: once connected. */
  announce(): Promise<void>;
  /** Says that the controller is offline, unless another one has taken over. */
  sayOffline(): Promise<void>;
}

export interface ControllerPresenceParts {
  readonly fleet: string;
  readonly broker: () => Broker;
  readonly instanceId: string;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Another controller acts at the same broker, was there first, and answers: this one has to stand by. */
  readonly onReplaced: () => void;
}

/** A controller that lives answers within this time; it is asked at most once in it. */
const answerMs = 2000;
/** Other clients can make this controller publish; this bounds how often. */
const wordsPerS = 10;

export function createControllerPresence(parts: ControllerPresenceParts): ControllerPresence {
  const { fleet, broker, instanceId, nowMs, log, onReplaced } = parts;
  const counted = createCountedLog(log, Date.now);
  const topic = controllerStateTopic(fleet);
  const sinceMs = Date.now();
  let announced = false;
  let leaving = false;
  /** Nonce of the open question, or null. */
  let asked: string | null = null;
  let second = 0;
  let words = 0;

  const stateOf = (status: ControllerState["status"], answers?: string) =>
    encodeMessage(ControllerState, {
      ...{ v: 1, status, instanceId, version, sentAtMs: Math.round(nowMs()), sinceMs },
      ...(answers === undefined ? {} : { answers }),
    });
  const say = (status: ControllerState["status"], answers?: string) =>
    broker().publish(topic, stateOf(status, answers), { retain: true });

  const mayEffect = (): boolean => {
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) words = 0;
    second = now;
    words += 1;
    if (words > wordsPerS) counted.note("too many messages on the controller's topics; they are ignored", { words });
    return words <= wordsPerS;
  };
  /** Not awaited within: a handler must not wait for a publish. */
  const sayAgain = (answers?: string) => {
    if (leaving || !announced || !mayEffect()) return;
    say("online", answers).catch((error) =>
      log.warn({ err: describeError(error) }, "announcing this controller failed"),
    );
  };
  const ask = (reason: string) => {
    if (asked !== null || !mayEffect()) return;
    const nonce = crypto.randomUUID();
    asked = nonce;
    counted.note("another controller claims to act for this fleet: probing it", { fleet, reason });
    broker()
      .publish(controllerProbeTopic(fleet), encodeMessage(ControllerProbe, { v: 1, nonce }), { retain: false })
      .catch((error) => log.warn({ err: describeError(error) }, "probing another controller failed"));
    setTimeout(() => {
      asked = null;
      if (leaving) return;
      counted.note("no answer: the claim that another controller acts is ignored", { fleet });
      sayAgain();
    }, answerMs).unref();
  };

  const onState = (payload: Uint8Array, retained: boolean) => {
    const decoded = decodeMessage(ControllerState, payload);
    // What the broker remembers may be of one that is no more.
    if (!decoded.ok || retained || !announced || leaving) return;
    const { answers } = decoded.message;
    const claim = { ...decoded.message, answersUs: asked !== null && answers === asked };
    const decision = decideSoleController({ instanceId, sinceMs }, claim, Date.now());
    switch (decision.kind) {
      case "alone":
        return;
      case "ask":
        return ask(decision.reason);
      case "insist":
        // Not as the kind of the note: that would be one for each name that somebody thinks of.
        counted.note("this controller repeats that it acts for the fleet", { fleet, reason: decision.reason });
        return sayAgain();
      case "yield":
        log.error(`${decision.reason}: this one stops deciding`);
        leaving = true;
        return onReplaced();
      default:
        return decision satisfies never;
    }
  };

  return {
    offline: () => stateOf("offline"),
    watch() {
      broker().subscribe(controllerProbeTopic(fleet), ({ payload }) => {
        const probe = decodeMessage(ControllerProbe, payload);
        if (probe.ok && probe.message.nonce !== asked) sayAgain(probe.message.nonce);
      });
      broker().subscribe(topic, ({ payload, retained }) => onState(payload, retained));
    },
    async announce() {
      announced = true;
      await say("online");
    },
    async sayOffline() {
      // After another one has taken over, this one must not say that nobody is there.
      const wasReplaced = leaving;
      leaving = true;
      if (!wasReplaced && broker().connected) await say("offline");
    },
  };
}
