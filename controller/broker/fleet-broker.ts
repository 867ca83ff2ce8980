import { describeError, UsageError } from "#platform/errors.ts";
import { isLoopback } from "#platform/http/listen-address.ts";
import type { Logger } from "#platform/log.ts";
import { version } from "#platform/version.ts";
import type { Broker } from "#protocol/broker.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { ControllerState } from "#protocol/messages.ts";
import { createMqttBroker } from "#protocol/mqtt-broker.ts";
import { controllerProbeTopic, controllerStateTopic } from "#protocol/topics.ts";
import type { ControllerConfig } from "../config.ts";
import { awaitSoleController } from "./await-sole-controller.ts";
import { decideSoleController } from "./decide-sole-controller.ts";
import { createEmbeddedBroker } from "./embedded-broker.ts";

/** The broker the fleet meets at, embedded or elsewhere, and the controller's presence there. */
export interface FleetBroker {
  readonly broker: Broker;
  /**
   * Connects; an embedded broker also listens.
   * @throws UsageError when its port is taken, or when other machines could reach it without a password.
   */
  start(): Promise<void>;
  /** Waits until no other controller acts for the fleet at a broker elsewhere; false when `signal` aborted first. Before `start`. */
  awaitSole(signal: AbortSignal): Promise<boolean>;
  /** Says that the controller is online: once connected. */
  announce(): Promise<void>;
  /** Says that the controller is offline and takes leave. */
  stop(): Promise<void>;
  /** Where agents find it; for an embedded broker with port 0, once started. */
  readonly url: string;
}

export interface FleetBrokerParts {
  readonly config: Pick<ControllerConfig, "fleet" | "broker" | "insecure">;
  /** Stays the same from one run to the next: the broker keeps records for it meanwhile. */
  readonly controllerId: string;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Another controller acts at the same broker and was there first: this one has to end. */
  readonly onReplaced: () => void;
}

export function createFleetBroker({ config, controllerId, nowMs, log, onReplaced }: FleetBrokerParts): FleetBroker {
  const { host, port, url, embedded } = config.broker;
  const credentials = {
    ...(config.broker.username === null ? {} : { username: config.broker.username }),
    ...(config.broker.password === null ? {} : { password: config.broker.password }),
  };
  const topic = controllerStateTopic(config.fleet);
  const instanceId = crypto.randomUUID();
  const sinceMs = Date.now();
  const stateOf = (status: ControllerState["status"]) =>
    encodeMessage(ControllerState, { v: 1, status, instanceId, version, sentAtMs: Math.round(nowMs()), sinceMs });
  const say = (broker: Broker, status: ControllerState["status"]) =>
    broker.publish(topic, stateOf(status), { retain: true });

  let announced = false;
  let leaving = false;
  const sayAgain = (broker: Broker) => {
    if (leaving) return;
    say(broker, "online").catch((error) => log.warn({ err: describeError(error) }, "saying that it is here failed"));
  };
  /** Not awaited within: a handler must not wait for a publish. */
  const watch = (broker: Broker) => {
    broker.subscribe(controllerProbeTopic(config.fleet), () => {
      if (announced) sayAgain(broker);
    });
    broker.subscribe(topic, ({ payload, retained }) => {
      const decoded = decodeMessage(ControllerState, payload);
      // What the broker remembers may be of one that is no more.
      if (!decoded.ok || retained || !announced || leaving) return;
      const decision = decideSoleController({ instanceId, sinceMs }, decoded.message);
      switch (decision.kind) {
        case "alone":
          return;
        case "insist":
          log.warn(decision.reason);
          return sayAgain(broker);
        case "yield":
          log.error(`${decision.reason}: this one stops deciding`);
          leaving = true;
          return onReplaced();
        default:
          return decision satisfies never;
      }
    });
  };
  const announce = async (broker: Broker) => {
    announced = true;
    await say(broker, "online");
  };
  /** After another one has taken over it is not for this one to say that nobody is there. */
  const takeLeave = async (broker: Broker) => {
    const wasReplaced = leaving;
    leaving = true;
    if (!wasReplaced && broker.connected) await say(broker, "offline");
  };

  if (url !== null) {
    const broker = createMqttBroker(
      {
        url,
        clientId: `thormesh-controller-${config.fleet}-${controllerId}`,
        // The broker keeps records that come while the controller is away.
        cleanSession: false,
        will: { topic, payload: stateOf("offline") },
        ...credentials,
      },
      log,
    );
    watch(broker);
    return {
      broker,
      url,
      async awaitSole(signal) {
        const clientId = `thormesh-controller-${config.fleet}-probe-${instanceId}`;
        return awaitSoleController(config.fleet, createMqttBroker({ url, clientId, ...credentials }, log), log, signal);
      },
      start: () => broker.start(),
      announce: () => announce(broker),
      async stop() {
        await takeLeave(broker);
        await broker.stop();
      },
    };
  }
  if (!embedded) throw new UsageError("broker: expected embedded: true or a url, got neither");
  const own = createEmbeddedBroker({ host, port, ...credentials }, log);
  let listeningPort = port;
  watch(own.broker);
  return {
    broker: own.broker,
    // Its port is its own: who else wants it finds it taken.
    awaitSole: async () => true,
    get url() {
      const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
      return `mqtt://${reachable.includes(":") ? `[${reachable}]` : reachable}:${listeningPort}`;
    },
    async start() {
      if (!isLoopback(host) && config.broker.username === null && !config.insecure) {
        throw new UsageError(
          `broker: refusing to listen on ${host} without a user name and password, because other machines can reach it: ` +
            "configure them, listen on 127.0.0.1, or allow it with --insecure",
        );
      }
      if ((config.broker.username === null) !== (config.broker.password === null)) {
        throw new UsageError("broker: expected username and password together, got one of them");
      }
      await own.broker.start();
      try {
        listeningPort = await own.listen();
      } catch (error) {
        await own.broker.stop();
        await own.close();
        throw error;
      }
    },
    announce: () => announce(own.broker),
    async stop() {
      await takeLeave(own.broker);
      await own.broker.stop();
      await own.close();
    },
  };
}
