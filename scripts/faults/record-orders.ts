import { connectAsync, type IClientOptions } from "mqtt";
import { decodeMessage } from "#protocol/codec.ts";
import { Command, Desired } from "#protocol/messages.ts";
import { agentTopic, parseAgentTopic } from "#protocol/topics.ts";
import type { SeenOrder } from "./check-orders.ts";

export interface OrderRecord {
  /** In the sequence in which they passed the broker. Those that passed while it could not be reached are missing. */
  readonly orders: readonly SeenOrder[];
  /** Messages on an order's topic that are none. */
  readonly unreadable: readonly string[];
  stop(): Promise<void>;
}

/** Records the orders that pass a broker, also after it has been killed. */
export async function recordOrders(port: number, fleet: string, login: IClientOptions): Promise<OrderRecord> {
  const orders: SeenOrder[] = [];
  const unreadable: string[] = [];
  // Without keep-alive a broker that stands still keeps the connection, and nothing is missed.
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
    ...{ ...login, reconnectPeriod: 100, connectTimeout: 5_000, keepalive: 0, protocolVersion: 4 },
  });
  client.on("error", () => undefined);
  client.on("message", (topic, payload, { retain }) => {
    const { agentId, channel } = parseAgentTopic(fleet, topic) ?? { agentId: "", channel: "" };
    // What is retained was an order when it passed, and an empty one clears it.
    if (retain || payload.length === 0) return;
    const decoded = decodeMessage(channel === "cmd" ? Command : Desired, payload);
    if (!decoded.ok || decoded.message.order === undefined) {
      unreadable.push(`${topic}: ${decoded.ok ? "no order" : decoded.reason}`);
      return;
    }
    const { term, sequence } = decoded.message.order;
    const leaseTerm = "term" in decoded.message ? decoded.message.term : undefined;
    orders.push({ agentId, term, sequence, leaseTerm, text: payload.toString() });
  });
  await client.subscribeAsync([agentTopic(fleet, "+", "desired"), agentTopic(fleet, "+", "cmd")]);
  return { orders, unreadable, stop: () => client.endAsync(true) };
}
