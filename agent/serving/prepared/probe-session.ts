import { type InferenceSession, Tensor } from "onnxruntime-node";

/** Lengths of the texts of the batches with which two forms of a model are compared: with padding, and of odd sizes. */
const batches: readonly (readonly number[])[] = [
  [8, 8],
  [33, 5, 1],
];
/** Ids that every vocabulary has. */
const ids = 15;
/** Largest difference of two forms that count as the same, by the largest number, or by 1 where that is less. */
const tolerance = 1e-5;

/** A batch in which a token attends to others beyond any window: rows of this length are compared with a mask of padding alone. */
const maskLengths = [2_048, 700];
/** Number that, added to the score of a token, leaves it no share. */
const noShare = -1e4;

/** Numbers that a session computes for some texts. */
export type Probe = readonly (Float32Array | Uint8Array)[];

function feedsOf(session: InferenceSession, lengths: readonly number[]): Record<string, Tensor> {
  const padded = Math.max(...lengths);
  const shape = [lengths.length, padded];
  const places = lengths.flatMap((length, row) =>
    Array.from({ length: padded }, (_, place) => ({ row, place, isText: place < length })),
  );
  return Object.fromEntries(
    session.inputMetadata.map((metadata) => {
      if (!metadata.isTensor) throw new Error(`its input ${metadata.name} is not a tensor`);
      const values = places.map(({ row, place, isText }) => {
        if (metadata.name === "input_ids") return isText ? 1 + ((7 * row + place) % ids) : 0;
        if (metadata.name === "position_ids") return place;
        return metadata.name === "attention_mask" && isText ? 1 : 0;
      });
      const tensor =
        metadata.type === "int64"
          ? new Tensor("int64", BigInt64Array.from(values, BigInt), shape)
          : new Tensor("int32", Int32Array.from(values), shape);
      return [metadata.name, tensor];
    }),
  );
}

/** Computes some texts. */
export async function probeSession(session: InferenceSession): Promise<Probe> {
  const numbers: (Float32Array | Uint8Array)[] = [];
  for (const lengths of batches) {
    const outputs = await session.run(feedsOf(session, lengths));
    for (const name of session.outputNames) {
      const data = outputs[name]?.data;
      if (data instanceof Float32Array) numbers.push(data.slice());
      else if (ArrayBuffer.isView(data))
        numbers.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice());
      outputs[name]?.dispose();
    }
  }
  return numbers;
}

/** True when two probes are the same to the bit. */
export function isSame(a: Probe, b: Probe): boolean {
  return a.length === b.length && a.every((numbers, i) => Buffer.compare(bytesOf(numbers), bytesOf(b[i])) === 0);
}

/** True when two probes differ by no more than the order in which numbers are added makes them. */
export function isClose(a: Probe, b: Probe): boolean {
  return a.length === b.length && a.every((numbers, i) => isCloseTo(numbers, b[i]));
}

function isCloseTo(a: Float32Array | Uint8Array, b: Float32Array | Uint8Array | undefined): boolean {
  if (!(a instanceof Float32Array && b instanceof Float32Array)) return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
  const largest = a.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
  return a.length === b.length && a.every((value, at) => Math.abs(value - (b[at] as number)) <= tolerance * largest);
}

const bytesOf = (numbers: Float32Array | Uint8Array | undefined) =>
  numbers === undefined ? Buffer.alloc(0) : Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);

/** Returns true when a session computes what leaves tokens as they are and padding without a share, whatever their places. */
export async function isPaddingMask(session: InferenceSession): Promise<boolean> {
  const [name = ""] = session.outputNames;
  const feeds = feedsOf(session, maskLengths);
  const output = (await session.run(feeds))[name];
  const numbers = output?.data;
  const padded = Math.max(...maskLengths);
  const [texts = 0, heads, from = 0, to] = output?.dims ?? [];
  const isShaped = texts === maskLengths.length && heads === 1 && (from === 1 || from === padded) && to === padded;
  if (!(numbers instanceof Float32Array) || !isShaped) return false;
  for (let at = 0; at < numbers.length; at += 1) {
    const isText = at % padded < (maskLengths[Math.floor(at / (from * padded))] ?? 0);
    const value = numbers[at] as number;
    if (isText ? value !== 0 : !(value <= noShare)) return false;
  }
  return true;
}
