import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Desired } from "#protocol/messages.ts";

/** An order of a controller as it passed the broker: a desired document, or a command. */
export interface SeenOrder {
  readonly agentId: string;
  /** Run of the controller that signed it. */
  readonly term: number;
  readonly sequence: number;
  /** Term of the controller's lease at a server; undefined: its store has none. */
  readonly leaseTerm?: number | undefined;
  /** The whole message. */
  readonly text: string;
}

const nameOf = ({ agentId, term, sequence }: SeenOrder) => `order ${sequence} of term ${term} for ${agentId}`;

/**
 * Orders, in the sequence in which they passed the broker, that a second leader must have given: one of a lower term after one of a higher, and two of
 * one term that count for themselves.
 */
export function ordersOfTwoLeaders(orders: readonly SeenOrder[]): string[] {
  const textOf = new Map<string, string>();
  let [term, sequence, leaseTerm] = [0, 0, 0];
  return orders.flatMap((order) => {
    const faults: string[] = [];
    const place = `${order.term}/${order.sequence}`;
    const before = textOf.get(place);
    textOf.set(place, before ?? order.text);
    if (order.term < term) faults.push(`${nameOf(order)} after one of term ${term}`);
    else if (before !== undefined && before !== order.text) faults.push(`${nameOf(order)} stands for two orders`);
    else if (order.term === term && before === undefined && order.sequence < sequence)
      faults.push(`${nameOf(order)} after order ${sequence}`);
    if ((order.leaseTerm ?? leaseTerm) < leaseTerm)
      faults.push(`${nameOf(order)} is of lease ${order.leaseTerm}, after one of lease ${leaseTerm}`);
    leaseTerm = Math.max(leaseTerm, order.leaseTerm ?? 0);
    if (order.term > term) [term, sequence] = [order.term, order.sequence];
    else if (order.term === term) sequence = Math.max(sequence, order.sequence);
    return faults;
  });
}

function textsIn(path: string, sql: string): string[] {
  if (!existsSync(path)) return [];
  const database = new Database(path, { readonly: true });
  try {
    return database.query<{ text: string }, []>(sql).values().flat() as string[];
  } finally {
    database.close();
  }
}

const contentOf = ({ issuedAtMs, role, powerMode, powerModeCap = null }: Desired) =>
  JSON.stringify([issuedAtMs, role, powerMode, powerModeCap]);

/**
 * Documents that agents follow and no controller has on record: each is stored before it is sent, so that another one must have sent them. Agents and
 * controllers have stopped.
 * @param controllers databases of the controller; several where one was damaged and replaced
 */
export function documentsOfNobody(
  agents: readonly { readonly agentId: string; readonly stateDir: string }[],
  controllers: readonly string[],
): string[] {
  return agents.flatMap(({ agentId, stateDir }) => {
    const [text] = textsIn(join(stateDir, "agent.db"), "SELECT content AS text FROM document WHERE name = 'desired'");
    if (text === undefined) return [];
    const held = JSON.parse(text) as Desired;
    const stored = controllers
      .flatMap((path) => textsIn(path, `SELECT document AS text FROM desired WHERE agent_id = '${agentId}'`))
      .map((each) => JSON.parse(each) as Desired);
    // Only the newest of each agent is on record.
    const isKnown = stored.some(
      (each) => each.version > held.version || (each.version === held.version && contentOf(each) === contentOf(held)),
    );
    return isKnown ? [] : [`${agentId} follows version ${held.version} (${held.role}), which no controller has stored`];
  });
}
