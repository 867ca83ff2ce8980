import { UsageError } from "#platform/errors.ts";
import { isLoopback } from "#platform/http/listen-address.ts";
import type { Logger } from "#platform/log.ts";
import { version } from "#platform/version.ts";
import type { Broker } from "#protocol/broker.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { ControllerState } from "#protocol/messages.ts";
import { createMqttBroker } from "#protocol/mqtt-broker.ts";
import { controllerStateTopic } from "#protocol/topics.ts";
import type { ControllerConfig } from "../config.ts";
import { createEmbeddedBroker } from "./embedded-broker.ts";

/** The broker the fleet meets at, embedded or elsewhere, and the controller's presence there. */
export interface FleetBroker {
  readonly broker: Broker;
  /**
   * Connects; an embedded broker also listens.
   * @throws UsageError when its port is taken, or when other machines could reach it without a password.
   */
  start(): Promise<void>;
  /** Says that the controller is online: once connected. */
  announce(): Promise<void>;
  /** Says that the controller is offline and takes leave. */
  stop(): Promise<void>;
  /** Where agents find it; for an embedded broker with port 0, once started. */
  readonly url: string;
}

type BrokerSettings = Pick<ControllerConfig, "fleet" | "broker" | "insecure">;

export function createFleetBroker(config: BrokerSettings, nowMs: () => number, log: Logger): FleetBroker {
  const { host, port, url, embedded } = config.broker;
  const credentials = {
    ...(config.broker.username === null ? {} : { username: config.broker.username }),
    ...(config.broker.password === null ? {} : { password: config.broker.password }),
  };
  const topic = controllerStateTopic(config.fleet);
  const instanceId = crypto.randomUUID();
  const stateOf = (status: ControllerState["status"]) =>
    encodeMessage(ControllerState, { v: 1, status, instanceId, version, sentAtMs: Math.round(nowMs()) });
  const say = (broker: Broker, status: ControllerState["status"]) =>
    broker.publish(topic, stateOf(status), { retain: true });

  if (url !== null) {
    const broker = createMqttBroker(
      {
        url,
        clientId: `thormesh-controller-${config.fleet}`,
        // The broker keeps records that come while the controller is away.
        cleanSession: false,
        will: { topic, payload: stateOf("offline") },
        ...credentials,
      },
      log,
    );
    return {
      broker,
      url,
      start: () => broker.start(),
      announce: () => say(broker, "online"),
      async stop() {
        if (broker.connected) await say(broker, "offline");
        await broker.stop();
      },
    };
  }
  if (!embedded) throw new UsageError("broker: expected embedded: true or a url, got neither");
  const own = createEmbeddedBroker({ host, port, ...credentials }, log);
  let listeningPort = port;
  return {
    broker: own.broker,
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
    announce: () => say(own.broker, "online"),
    async stop() {
      await say(own.broker, "offline");
      await own.broker.stop();
      await own.close();
    },
  };
}
