import type { Broker, BrokerMessage } from "#protocol/broker.ts";
import { decodeMessage } from "#protocol/codec.ts";
import { PeerList } from "#protocol/messages.ts";
import { agentTopic, controllerPeersTopic, parseAgentTopic } from "#protocol/topics.ts";

export const followLimits = {
  /** Maximum peers that an agent follows one by one. */
  maxFollowed: 32,
  /** Maximum peers that it learns of where no controller lists them. */
  maxUnlisted: 256,
  /** Time after a connection to wait for a controller's list. */
  listWithinMs: 2_000,
};

export type FollowLimits = typeof followLimits;

export interface PeerFollowerParts {
  readonly broker: Pick<Broker, "subscribe" | "unsubscribe" | "onConnection">;
  readonly identity: { readonly fleet: string; readonly agentId: string };
  readonly onPresence: (message: BrokerMessage, agentId: string) => void;
  /** Receives the documents of others; null: they are of no use here. */
  readonly onDesired: ((message: BrokerMessage) => void) | null;
  readonly onForgotten: (agentId: string) => void;
  readonly onRefused: (topic: string, reason: string) => void;
  readonly limits?: FollowLimits;
}

type Channel = "presence" | "desired";

/**
 * Subscribes to the presence of other agents: of all in a small fleet, of some that the controller lists in a large one, as 10,000 agents that
 * each read 10,000 presences would stop any broker. Without a list it follows those that it hears of, up to a limit.
 */
export class PeerFollower {
  readonly #parts: PeerFollowerParts;
  readonly #limits: FollowLimits;
  /** Peers followed one by one, by channel. */
  readonly #followed: Readonly<Record<Channel, Set<string>>> = { presence: new Set(), desired: new Set() };
  /** Peers heard of while all are followed. */
  readonly #heard = new Set<string>();
  #followsAll = false;
  #isListed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: PeerFollowerParts) {
    this.#parts = parts;
    this.#limits = parts.limits ?? followLimits;
  }

  start(): void {
    const { broker, identity, onRefused } = this.#parts;
    broker.subscribe(controllerPeersTopic(identity.fleet), ({ topic, payload }) => {
      const decoded = decodeMessage(PeerList, payload);
      if (decoded.ok) this.#onList(decoded.message);
      else onRefused(topic, decoded.reason);
    });
    if (this.#limits.listWithinMs === 0) this.#followAll();
    broker.onConnection((connected) => {
      clearTimeout(this.#timer);
      if (!connected || this.#isListed || this.#followsAll) return;
      if (this.#followed.presence.size > 0) return;
      this.#timer = setTimeout(() => this.#followAll(), this.#limits.listWithinMs);
      this.#timer.unref?.();
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #onList({ all, serving, wake }: PeerList): void {
    clearTimeout(this.#timer);
    this.#isListed = true;
    if (all) this.#followAll();
    else this.#followOnly(this.#choose(serving), wake);
  }

  /** Chooses peers: each agent others, so that no peer has all as its followers. */
  #choose(peers: readonly string[]): string[] {
    const { agentId } = this.#parts.identity;
    const weigh = (peer: string) => Bun.hash.wyhash(`${agentId}/${peer}`);
    return peers
      .filter((peer) => peer !== agentId)
      .map((peer) => ({ peer, weight: weigh(peer) }))
      .sort((a, b) => (a.weight < b.weight ? -1 : 1))
      .slice(0, this.#limits.maxFollowed)
      .map(({ peer }) => peer);
  }

  #followAll(): void {
    if (this.#followsAll) return;
    this.#followsAll = true;
    this.#set("presence", new Set());
    this.#set("desired", new Set());
    const { broker, identity, onDesired } = this.#parts;
    broker.subscribe(agentTopic(identity.fleet, "+", "presence"), (message) => this.#onPresence(message));
    if (onDesired !== null) broker.subscribe(agentTopic(identity.fleet, "+", "desired"), onDesired);
  }

  #followOnly(presence: readonly string[], wake: readonly string[]): void {
    const { broker, identity, onDesired, onForgotten } = this.#parts;
    const sleepers = onDesired === null ? [] : wake.filter((peer) => peer !== identity.agentId);
    if (this.#followsAll) {
      this.#followsAll = false;
      broker.unsubscribe(agentTopic(identity.fleet, "+", "presence"));
      if (onDesired !== null) broker.unsubscribe(agentTopic(identity.fleet, "+", "desired"));
    }
    const followed = new Set([...presence, ...sleepers]);
    this.#set("presence", followed);
    this.#set("desired", new Set(sleepers));
    for (const peer of this.#heard) if (!followed.has(peer)) onForgotten(peer);
    this.#heard.clear();
  }

  #set(channel: Channel, wanted: ReadonlySet<string>): void {
    const { broker, identity, onDesired, onForgotten } = this.#parts;
    const followed = this.#followed[channel];
    for (const peer of [...followed]) {
      if (wanted.has(peer)) continue;
      followed.delete(peer);
      broker.unsubscribe(agentTopic(identity.fleet, peer, channel));
      if (channel === "presence" && !this.#followsAll) onForgotten(peer);
    }
    const handler =
      channel === "desired" ? (onDesired ?? (() => undefined)) : (message: BrokerMessage) => this.#onPresence(message);
    for (const peer of wanted) {
      if (followed.has(peer)) continue;
      followed.add(peer);
      broker.subscribe(agentTopic(identity.fleet, peer, channel), handler);
    }
  }

  #onPresence(message: BrokerMessage): void {
    const { identity, onPresence } = this.#parts;
    const peer = parseAgentTopic(identity.fleet, message.topic)?.agentId;
    if (peer === undefined || peer === identity.agentId) return;
    if (!this.#followsAll) {
      // One that was under way when the subscription ended.
      if (this.#followed.presence.has(peer)) onPresence(message, peer);
      return;
    }
    this.#heard.add(peer);
    onPresence(message, peer);
    if (!this.#isListed && this.#heard.size > this.#limits.maxUnlisted)
      this.#followOnly(this.#choose([...this.#heard]), []);
  }
}
