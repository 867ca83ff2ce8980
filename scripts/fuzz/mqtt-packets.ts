import type { Random } from "./random.ts";

/** Identity that a connection claims. */
export interface FuzzLogin {
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
}

/** Strings with the 16-bit length in front that MQTT asks for; what is too long for it is cut in the length only. */
function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length & 0xffff);
  return Buffer.concat([length, bytes]);
}

function remainingLength(length: number): number[] {
  const bytes: number[] = [];
  let rest = length;
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return bytes;
}

export function packet(firstByte: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([firstByte, ...remainingLength(body.length)]), body]);
}

const word16 = (value: number) => Buffer.from([(value >> 8) & 0xff, value & 0xff]);

export interface PacketSource {
  /** @param isTame true: a well-formed CONNECT, so that what follows it is read */
  connect(login: FuzzLogin, isTame: boolean): Buffer;
  /** Any packet that a connected client might send. */
  other(): Buffer;
  /** A packet that an agent may send, with odd contents. */
  allowed(agentId: string): Buffer;
  /** Damages a packet in one of many ways; most packets are left as they are. */
  mutate(bytes: Buffer): Buffer;
}

/** @param agentIds agents whose topics are used most */
export function createPacketSource(random: Random, fleet: string, agentIds: readonly string[]): PacketSource {
  const channels = ["presence", "birth", "data", "desired", "reported", "cmd", "cmd-result", "probe", "beat", ""];
  const topic = (): string => {
    const id = random.pick([...agentIds, "steady", "+", "#", "", "..", "\u0000", "observer"]);
    return random.pick([
      ...new Array<string>(6).fill(`thormesh/v1/${fleet}/agents/${id}/${random.pick(channels)}`),
      `thormesh/v1/${fleet}/controller/${random.pick(["state", "probe", "x"])}`,
      `thormesh/v1/${random.pick(["other", "+", "#", ""])}/agents/${id}/${random.pick(channels)}`,
      random.pick(["", "#", "+", "/", "$SYS/#", "$SYS/x/heartbeat", "$share/g/thormesh/#", "thormesh/#", "//////////"]),
      "a/".repeat(random.below(300)),
      "x".repeat(random.below(70_000)),
      random.bytes(random.below(40)).toString("latin1"),
    ]);
  };
  const payload = (): Buffer => {
    const size = random.pick([0, 1, 10, 300, 5000, 40_000, 262_144, 270_000]);
    const json = JSON.stringify({
      v: random.pick([1, 2, -1, null, 1e300]),
      agentId: random.pick([...agentIds, "steady", 7]),
      bootId: "b",
      status: random.pick(["online", "offline", "x"]),
      version: random.pick([1, 1e300, "1"]),
      instanceId: "fuzz",
      sinceMs: random.pick([0, 1_700_000_000_000, 1e300]),
      role: random.pick(["active", "standby", "draining", {}]),
      id: "fuzz",
      kind: random.pick(["drain", "rebirth", "x"]),
      sentAtMs: random.pick([1, 1e15, -1]),
      expiresAtMs: 9e15,
    });
    return random.chance(0.5) ? Buffer.from(json) : Buffer.alloc(random.below(size + 1), random.below(256));
  };

  const publish = () => {
    const qos = random.pick([0, 1, 1, 1, 2, 3]);
    const flags = (random.chance(0.1) ? 8 : 0) | (qos << 1) | (random.chance(0.5) ? 1 : 0);
    return packet(0x30 | flags, text(topic()), ...(qos > 0 ? [word16(random.below(65_536))] : []), payload());
  };
  const subscribe = () => {
    const filters = Array.from({ length: random.pick([0, 1, 1, 2, 5, 40]) }, () =>
      Buffer.concat([text(topic()), Buffer.from([random.pick([0, 1, 2, 3, 0x80, 255])])]),
    );
    return packet(random.pick([0x82, 0x82, 0x82, 0x80]), word16(random.below(65_536)), ...filters);
  };
  const unsubscribe = () => packet(0xa2, word16(random.below(65_536)), text(topic()), text(topic()));
  const short = () => packet(random.pick([0x40, 0x50, 0x62, 0x70, 0x20, 0x90, 0xb0]), word16(random.below(65_536)));
  const empty = () => packet(random.pick([0xc0, 0xc0, 0xc0, 0xd0, 0xe0, 0x00, 0xf0]));
  const huge = () => Buffer.concat([Buffer.from([random.below(256), 0xff, 0xff, 0xff, 0x7f]), random.bytes(64)]);
  const noise = () => random.bytes(random.below(200));

  return {
    connect({ clientId, username, password }, isTame) {
      const hasWill = !isTame && random.chance(0.4);
      const level = isTame ? 4 : random.pick([4, 4, 4, 4, 3, 5, 0, 255, 0x84]);
      const name =
        level === 3 ? "MQIsdp" : isTame ? "MQTT" : random.pick(["MQTT", "MQTT", "MQTT", "MQTT", "", "mqtt", "HTTP"]);
      const flags =
        (username === undefined ? 0 : 0x80) |
        (password === undefined ? 0 : 0x40) |
        (hasWill ? 0x04 | (random.below(4) << 3) | (random.chance(0.5) ? 0x20 : 0) : 0) |
        (random.chance(0.7) ? 0x02 : 0) |
        (!isTame && random.chance(0.03) ? 0x01 : 0);
      return packet(
        0x10,
        text(name),
        Buffer.from([level, flags]),
        word16(random.pick([0, 1, 15, 60, 65_535])),
        text(clientId),
        ...(hasWill ? [text(topic()), text(payload().subarray(0, random.pick([0, 100, 9000, 60_000])))] : []),
        ...(username === undefined ? [] : [text(username)]),
        ...(password === undefined ? [] : [text(password)]),
      );
    },
    other: () =>
      random.pick([publish, publish, publish, publish, subscribe, subscribe, unsubscribe, short, empty, huge, noise])(),
    allowed(agentId) {
      const own = (channel: string) => `thormesh/v1/${fleet}/agents/${agentId}/${channel}`;
      const channel = random.pick(["presence", "birth", "data", "reported", "cmd-result"]);
      const isKept = channel === "presence" || channel === "reported";
      const filter = random.pick([
        own("desired"),
        own("cmd"),
        `thormesh/v1/${fleet}/agents/+/presence`,
        `thormesh/v1/${fleet}/controller/state`,
      ]);
      return random.pick([
        ...new Array<Buffer>(5).fill(
          packet(
            0x32 | (isKept && random.chance(0.7) ? 1 : 0),
            text(own(channel)),
            word16(1 + random.below(65_535)),
            payload().subarray(0, channel === "data" || channel === "birth" ? 262_144 : 8000),
          ),
        ),
        packet(0x82, word16(1 + random.below(65_535)), text(filter), Buffer.from([random.below(3)])),
        packet(0xa2, word16(1 + random.below(65_535)), text(filter)),
        packet(0x40, word16(random.below(65_536))),
        packet(0xc0),
      ]);
    },
    mutate(bytes) {
      const at = random.below(bytes.length + 1);
      switch (random.below(12)) {
        case 0:
          return bytes.subarray(0, at);
        case 1:
          return Buffer.concat([bytes, bytes]);
        case 2:
          return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(8)), bytes.subarray(at)]);
        case 3:
          return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(8))]);
        case 4:
        case 5: {
          const changed = Buffer.from(bytes);
          for (let i = 0; i < 1 + random.below(4) && changed.length > 0; i += 1) {
            const place = random.below(random.chance(0.5) ? Math.min(20, changed.length) : changed.length);
            changed[place] = (changed[place] ?? 0) ^ (1 << random.below(8));
          }
          return changed;
        }
        default:
          return bytes;
      }
    },
  };
}
