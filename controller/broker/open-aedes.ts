import { Readable } from "node:stream";
import { Aedes, type AedesOptions } from "aedes";
import type { CountedLog } from "#platform/log.ts";
import { createRetainedIndex } from "./retained/retained-index.ts";
import type { RetainedMessages } from "./retained/retained-messages.ts";

/** Time after which a subscriber that does not read is disconnected. */
const drainTimeoutMs = 30_000;
/** Maximum packets before a CONNECT is answered: clients wait for the answer. */
const packetsBeforeConnack = 32;
const maxTopicLevels = 16;

export interface RetainedPacket {
  readonly topic: string;
  readonly payload: Buffer;
}

type Notify = (packet: unknown, done: () => void) => void;

/** Parts of aedes that its own types leave out. */
interface Inside {
  readonly persistence: {
    storeRetained(packet: RetainedPacket): Promise<void>;
    createRetainedStreamCombi(filters: readonly string[]): NodeJS.ReadableStream;
  };
  readonly mq: {
    _do(packet: { readonly topic: string }, done: () => void): unknown;
    readonly _matcher: { match(topic: string): readonly Notify[] };
  };
}

const inside = (aedes: Aedes) => aedes as unknown as Inside;
const nothing = () => undefined;

/** Stops publishers from waiting for subscribers: one that doesn't read would hold up the fleet. What is buffered for it is bounded by the client gate. */
function dontWaitForSubscribers(aedes: Aedes): void {
  const { mq } = inside(aedes);
  // In place of each subscriber's own wrapper: a large fleet has hundreds of thousands of subscriptions.
  mq._do = (packet, done) => {
    for (const notify of mq._matcher.match(packet.topic)) notify.call(mq, packet, nothing);
    done();
    return mq;
  };
}

/** Starts aedes in memory; it has no port of its own. */
export async function openAedes(hooks: AedesOptions, retained: RetainedMessages, counted: CountedLog): Promise<Aedes> {
  const aedes = new Aedes({
    ...hooks,
    drainTimeout: drainTimeoutMs,
    queueLimit: packetsBeforeConnack,
    connectTimeout: 10_000,
    maxTopicLevels,
  });
  dontWaitForSubscribers(aedes);
  aedes.on("connectionError", (_client, error) => counted.note("an MQTT connection failed", { err: error.message }));
  aedes.on("clientError", (client, error) =>
    counted.note("an MQTT client's connection failed", { client: client.id, err: error.message }),
  );
  // Without a listener it would end the process.
  aedes.on(
    "error" as "closed",
    ((error: unknown) => counted.note("the embedded broker reported an error", { err: String(error) })) as () => void,
  );
  await aedes.listen();
  const { persistence } = inside(aedes);
  const index = createRetainedIndex<RetainedPacket>();
  // The copy is what is kept: aedes continues with the packet.
  persistence.storeRetained = async (packet) => {
    index.store({ ...packet });
    retained.stored(packet.topic, packet.payload.length);
  };
  persistence.createRetainedStreamCombi = (filters) => Readable.from(index.matching(filters));
  return aedes;
}

/** Passes each retained message that matches one of the filters to `take`, once per filter. */
export function readRetained(aedes: Aedes, filters: string[], take: (packet: RetainedPacket) => void): void {
  inside(aedes).persistence.createRetainedStreamCombi(filters).on("data", take);
}
