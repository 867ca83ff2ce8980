/** Field of a protobuf message, with its bytes in the message. */
export interface WireField {
  readonly number: number;
  /** Value of a number of one to ten bytes; content of a field of 4 or 8 bytes, or with a length. */
  readonly value: number | Uint8Array;
  /** The field as it is written, key included. */
  readonly written: Uint8Array;
}

/** @throws RangeError when the bytes end within a number. */
function readNumber(bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } {
  let value = 0;
  let factor = 1;
  for (let at = start; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    value += (byte & 127) * factor;
    factor *= 128;
    if (byte < 128) return { value, end: at + 1 };
  }
  throw new RangeError("a message ends within a number");
}

/** Lists the fields of a protobuf message, in order. @throws Error when the bytes are none. */
export function readFields(bytes: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  for (let at = 0; at < bytes.length; ) {
    const key = readNumber(bytes, at);
    const number = Math.floor(key.value / 8);
    let start = key.end;
    let length = 0;
    let value: number | Uint8Array;
    switch (key.value % 8) {
      case 0: {
        const read = readNumber(bytes, start);
        value = read.value;
        start = read.end;
        break;
      }
      case 1:
        length = 8;
        value = bytes.subarray(start, start + length);
        break;
      case 2: {
        const read = readNumber(bytes, start);
        start = read.end;
        length = read.value;
        value = bytes.subarray(start, start + length);
        break;
      }
      case 5:
        length = 4;
        value = bytes.subarray(start, start + length);
        break;
      default:
        throw new Error(`a field is of unknown wire type ${key.value % 8}`);
    }
    if (start + length > bytes.length) throw new RangeError("a field ends beyond its message");
    fields.push({ number, value, written: bytes.subarray(at, start + length) });
    at = start + length;
  }
  return fields;
}

/** Writes a protobuf message field by field. */
export class WireWriter {
  readonly #pieces: Uint8Array[] = [];

  /** Adds a field as it was read. */
  copy({ written }: WireField): this {
    this.#pieces.push(written);
    return this;
  }

  /** Adds a whole number that is not negative. */
  number(field: number, value: number): this {
    return this.#push(field * 8).#push(value);
  }

  float(field: number, value: number): this {
    this.#push(field * 8 + 5);
    this.#pieces.push(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  bytes(field: number, content: Uint8Array): this {
    this.#push(field * 8 + 2).#push(content.length);
    this.#pieces.push(content);
    return this;
  }

  text(field: number, content: string): this {
    return this.bytes(field, new TextEncoder().encode(content));
  }

  message(field: number, content: WireWriter): this {
    return this.bytes(field, content.finish());
  }

  finish(): Uint8Array {
    const whole = new Uint8Array(this.#pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  #push(value: number): this {
    const bytes: number[] = [];
    let rest = value;
    while (rest >= 128) {
      bytes.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    bytes.push(rest);
    this.#pieces.push(Uint8Array.from(bytes));
    return this;
  }
}
