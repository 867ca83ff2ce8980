import { followLimits } from "#agent/mesh/peer-follower.ts";
import { encodeMessage } from "#protocol/codec.ts";
import {
  type Ack,
  type AgentRole,
  Beat,
  Birth,
  type Desired,
  MinuteData,
  type PeerList,
  Presence,
  Reported,
} from "#protocol/messages.ts";
import { reconnectDelayMs } from "#protocol/mqtt/reconnect-pace.ts";
import {
  agentTopic,
  controllerAccessTopic,
  controllerPeersTopic,
  controllerStateTopic,
  parseAgentTopic,
} from "#protocol/topics.ts";
import { BareClient, type BareTls } from "./bare-client.ts";
import {
  simulatedBeat,
  simulatedBirth,
  simulatedMinute,
  simulatedPresence,
  simulatedReported,
} from "./simulated-messages.ts";

export interface FleetOfAgents {
  readonly fleet: string;
  readonly port: number;
  /** Login of an agent; null: the broker asks for none. */
  readonly secretOf: ((agentId: string) => string) | null;
  /** Certificate of an agent; null: the connection is not encrypted. */
  readonly tlsOf: ((agentId: string) => BareTls) | null;
  /** Time of the fleet's clock. */
  readonly nowMs: () => number;
  /** Called with the real time from a minute's publish to its confirmation. */
  readonly onStored: (delayMs: number) => void;
}

/** Records that wait for the controller, as a real agent's sender has them. */
const maxUnanswered = 16;
const answerWithinMs = 30_000;
/** Age at which a record counts as history. */
const liveMs = 150_000;
const keepAliveS = 15;

interface Waiting {
  readonly data: MinuteData;
  /** Real time of the first publish; null: not yet. */
  firstMs: number | null;
  sentMs: number | null;
}

/** One agent of the fleet on the wire: it says what a real one says and does what documents tell it, and serves nobody. */
export class SimulatedAgent {
  readonly agentId: string;
  readonly #fleet: FleetOfAgents;
  readonly #localAddress: string;
  readonly #region: string;
  readonly #bootId = crypto.randomUUID();
  /** By seq, until the controller says that it is stored. */
  readonly #outbox = new Map<number, Waiting>();
  #followed = new Set<string>();
  #client: BareClient | undefined;
  #role: AgentRole = "active";
  #desiredVersion: number | null = null;
  #seq = 0;
  #attempts = 0;
  #qps = 0;

  constructor(agentId: string, index: number, fleet: FleetOfAgents) {
    this.agentId = agentId;
    this.#fleet = fleet;
    this.#localAddress = `127.${10 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
    this.#region = `region-${index % 8}`;
  }

  get isConnected(): boolean {
    return this.#client?.isAdmitted === true;
  }

  get role(): AgentRole {
    return this.#role;
  }

  get unconfirmed(): number {
    return this.#outbox.size;
  }

  get minutes(): number {
    return this.#seq;
  }

  get bootId(): string {
    return this.#bootId;
  }

  connect(): void {
    const { fleet, port, secretOf, tlsOf } = this.#fleet;
    const will = {
      topic: agentTopic(fleet, this.agentId, "presence"),
      payload: encodeMessage(Presence, simulatedPresence(this.#speaker(), this.#fleet.nowMs(), "offline")),
    };
    const clientId = `thormesh-agent-${fleet}-${this.agentId}`;
    const login = {
      ...(secretOf === null ? {} : { username: this.agentId, password: secretOf(this.agentId) }),
      ...(tlsOf === null ? {} : { tls: tlsOf(this.agentId) }),
    };
    const client = new BareClient(
      { port, localAddress: this.#localAddress, clientId, keepAliveS, will, ...login },
      {
        onAdmitted: () => this.#onAdmitted(client),
        onMessage: (topic, payload) => this.#onMessage(topic, payload),
        onEnd: () => this.#onEnd(client),
      },
    );
    this.#client = client;
  }

  /** Cuts the connection; it comes back by itself, as a real agent does. */
  cut(): void {
    this.#client?.cut();
  }

  beat(qps: number): void {
    if (this.isConnected)
      this.#publish(
        "beat",
        encodeMessage(Beat, simulatedBeat(this.#speaker(), this.#fleet.nowMs(), this.#rate(qps))),
        0,
      );
  }

  /** Ends a minute: it is on record from now on, and sent. */
  endMinute(startMs: number, qps: number): void {
    this.#qps = qps;
    this.#seq += 1;
    const figures = { seq: this.#seq, startMs, qps: this.#rate(qps), observedMs: 60_000 };
    const data = simulatedMinute(this.#speaker(), this.#fleet.nowMs(), figures);
    this.#outbox.set(this.#seq, { data, firstMs: null, sentMs: null });
    this.#drain();
  }

  #rate(qps: number): number {
    return this.#role === "active" ? qps : 0;
  }

  #speaker() {
    return { agentId: this.agentId, bootId: this.#bootId, region: this.#region, role: this.#role };
  }

  #publish(channel: "presence" | "birth" | "data" | "beat" | "reported", payload: string, qos: 0 | 1 = 1): void {
    const retain = channel === "presence" || channel === "reported";
    void this.#client?.publish(agentTopic(this.#fleet.fleet, this.agentId, channel), payload, { retain, qos });
  }

  #onAdmitted(client: BareClient): void {
    this.#attempts = 0;
    const { fleet } = this.#fleet;
    const own = ["desired", "cmd", "ack", "presence"] as const;
    client.subscribe([
      ...own.map((channel) => agentTopic(fleet, this.agentId, channel)),
      ...[controllerStateTopic(fleet), controllerPeersTopic(fleet), controllerAccessTopic(fleet)],
    ]);
    this.#followed = new Set();
    this.#introduce();
    for (const waiting of this.#outbox.values()) waiting.sentMs = null;
    this.#drain();
  }

  #introduce(): void {
    const nowMs = this.#fleet.nowMs();
    this.#publish("presence", encodeMessage(Presence, simulatedPresence(this.#speaker(), nowMs, "online")));
    this.#publish("birth", encodeMessage(Birth, simulatedBirth(this.#speaker(), nowMs)));
    this.#report();
  }

  #report(): void {
    this.#publish(
      "reported",
      encodeMessage(Reported, simulatedReported(this.#speaker(), this.#fleet.nowMs(), this.#desiredVersion)),
    );
  }

  #onEnd(client: BareClient): void {
    if (client !== this.#client) return;
    this.#attempts += 1;
    setTimeout(() => this.connect(), reconnectDelayMs(this.#attempts, Math.random()));
  }

  /** Sends what waits, oldest first, no more at once than a real agent does. */
  #drain(): void {
    if (!this.isConnected) return;
    const nowMs = this.#fleet.nowMs();
    const realMs = performance.now();
    let unanswered = 0;
    for (const waiting of this.#outbox.values()) {
      if (unanswered >= maxUnanswered) return;
      unanswered += 1;
      if (waiting.sentMs !== null && realMs - waiting.sentMs < answerWithinMs) continue;
      waiting.sentMs = realMs;
      waiting.firstMs ??= realMs;
      const { data } = waiting;
      const historical = nowMs - data.traffic.minuteStartMs - 60_000 > liveMs;
      this.#publish("data", encodeMessage(MinuteData, { ...data, historical }));
    }
  }

  #onMessage(topic: string, payload: Buffer): void {
    if (payload.byteLength === 0) return;
    const { fleet } = this.#fleet;
    if (topic === controllerPeersTopic(fleet)) this.#follow(JSON.parse(payload.toString()) as PeerList);
    const parsed = parseAgentTopic(fleet, topic);
    if (parsed?.agentId !== this.agentId) return;
    if (parsed.channel === "ack") this.#confirm(JSON.parse(payload.toString()) as Ack);
    else if (parsed.channel === "desired") this.#obey(JSON.parse(payload.toString()) as Desired);
    // The only command of the bench's controllers: to introduce itself again.
    else if (parsed.channel === "cmd") this.#introduce();
  }

  #confirm({ stored }: Ack): void {
    const nowMs = performance.now();
    for (const { bootId, fromSeq, toSeq } of stored) {
      if (bootId !== this.#bootId) continue;
      for (let seq = fromSeq; seq <= toSeq; seq += 1) {
        const firstMs = this.#outbox.get(seq)?.firstMs;
        if (this.#outbox.delete(seq) && firstMs != null) this.#fleet.onStored(nowMs - firstMs);
      }
    }
    this.#drain();
  }

  #obey({ version, role }: Desired): void {
    this.#desiredVersion = version;
    const isNew = role !== this.#role;
    this.#role = role;
    this.#report();
    if (!isNew) return;
    this.#publish(
      "presence",
      encodeMessage(Presence, simulatedPresence(this.#speaker(), this.#fleet.nowMs(), "online")),
    );
    if (role === "active") this.beat(this.#qps);
  }

  #follow({ all, serving }: PeerList): void {
    const { fleet } = this.#fleet;
    const wanted = new Set(
      (all ? [] : serving)
        .filter((peer) => peer !== this.agentId)
        .sort((a, b) => Bun.hash.crc32(this.agentId + a) - Bun.hash.crc32(this.agentId + b))
        .slice(0, followLimits.maxFollowed),
    );
    const topics = (peers: readonly string[]) => peers.map((peer) => agentTopic(fleet, peer, "presence"));
    const gone = topics([...this.#followed].filter((peer) => !wanted.has(peer)));
    const come = topics([...wanted].filter((peer) => !this.#followed.has(peer)));
    this.#followed = wanted;
    if (gone.length > 0) this.#client?.unsubscribe(gone);
    if (come.length > 0) this.#client?.subscribe(come);
  }
}
