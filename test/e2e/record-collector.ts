import pino from "pino";
import type { Broker } from "#protocol/broker.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { ControllerState, MinuteData } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic, controllerStateTopic } from "#protocol/topics.ts";
import { untilConnected } from "../protocol/broker-contract.ts";

/** Subscriber of an agent's records that stands in for a controller. */
export interface RecordCollector {
  /** Records in order of arrival, repeats included. */
  readonly records: MinuteData[];
  /** Real time at which each of them arrived. */
  readonly arrivedMs: readonly number[];
  readonly broker: Broker;
  /** Announces the controller as online or offline. */
  say(status: "online" | "offline"): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a collector. With `announces` it says at each connection that the controller is online. */
export async function collectRecords(
  url: string,
  fleet: string,
  agentId: string,
  { announces }: { readonly announces: boolean },
  prepare: (broker: Broker) => void = () => {},
): Promise<RecordCollector> {
  const records: MinuteData[] = [];
  const arrivedMs: number[] = [];
  const broker = new MqttBroker(
    { url, clientId: `collector-${crypto.randomUUID()}`, cleanSession: false },
    pino({ level: "silent" }),
  );
  broker.subscribe(agentTopic(fleet, agentId, "data"), ({ payload }) => {
    const decoded = decodeMessage(MinuteData, payload);
    if (!decoded.ok) throw new Error(decoded.reason);
    records.push(decoded.message);
    arrivedMs.push(Date.now());
  });
  const say = (status: "online" | "offline") => {
    const state: ControllerState = { v: 1, status, instanceId: "collector", version: "test", sentAtMs: 1 };
    return broker.publish(controllerStateTopic(fleet), encodeMessage(ControllerState, state), { retain: true });
  };
  broker.onConnection((connected) => {
    if (announces && connected) void say("online");
  });
  prepare(broker);
  await broker.start();
  await untilConnected(broker);
  return { records, arrivedMs, broker, say, stop: () => broker.stop() };
}

/** Number of requests in records. */
export const requestsIn = (records: Iterable<MinuteData>) =>
  [...records].reduce(
    (sum, { traffic }) => sum + traffic.models.reduce((models, model) => models + model.requests, 0),
    0,
  );
