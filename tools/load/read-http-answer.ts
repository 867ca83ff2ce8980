export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** True if the connection can carry another request. */
  readonly reusable: boolean;
}

const headEnd = Buffer.from("\r\n\r\n");
/** Size limit of a response's head. */
const maxHeadBytes = 64 * 1024;
/** Size limit of an answer with all its vectors. */
const maxAnswerBytes = 256 * 1024 * 1024;

interface Head {
  readonly status: number;
  readonly reusable: boolean;
  /** Length of the body in bytes; "close": it ends with the connection. */
  readonly length: number | "chunked" | "close";
}

function parseHead(text: string): Head {
  const status = /^HTTP\/1\.([01]) (\d{3})/.exec(text);
  if (status === null) throw new Error("an answer that is not HTTP/1.1");
  const header = (name: string) => new RegExp(`\\r\\n${name}:[ \\t]*([^\\r]*)`, "i").exec(text)?.[1]?.trim();
  const code = Number(status[2]);
  const connection = header("connection")?.toLowerCase() ?? (status[1] === "0" ? "close" : "");
  const reusable = !connection.includes("close");
  if (code === 204 || code === 304) return { status: code, reusable, length: 0 };
  if (header("transfer-encoding")?.toLowerCase().includes("chunked"))
    return { status: code, reusable, length: "chunked" };
  const length = header("content-length");
  if (length === undefined) return { status: code, reusable: false, length: "close" };
  if (!/^\d+$/.test(length)) throw new Error("an answer with an invalid content-length");
  return { status: code, reusable, length: Number(length) };
}

/** Body of a chunked answer (RFC 9112, 7.1); undefined while incomplete. */
function joinChunks(bytes: Buffer): Buffer | undefined {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at, "latin1");
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (!(size >= 0)) throw new Error("an answer whose chunks can't be read");
    if (size === 0) {
      // Trailers, if any, end with an empty line as the head does.
      const last = bytes.indexOf(headEnd, lineEnd);
      return last < 0 ? undefined : Buffer.concat(pieces);
    }
    const end = lineEnd + 2 + size;
    if (bytes.length < end + 2) return undefined;
    pieces.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}

/**
 * Assembles an answer from the pieces that a socket delivers. The other work of a client library (redirects, compression, streams) costs several
 * times as much CPU, which a load generator would take from a server on the same machine.
 */
export class HttpAnswerReader {
  #bytes: Buffer = Buffer.alloc(0);
  #head: Head | undefined;

  /** True before the first byte of an answer. */
  get empty(): boolean {
    return this.#bytes.length === 0 && this.#head === undefined;
  }

  /**
   * Adds a piece. Returns the answer when it is complete.
   * @param piece copied unless it is the last one
   * @throws Error when the answer is not HTTP/1.1.
   */
  push(piece: Buffer): HttpAnswer | undefined {
    if (this.#bytes.length + piece.length > maxAnswerBytes) throw new Error("an answer that does not end");
    const bytes = this.#bytes.length === 0 ? piece : Buffer.concat([this.#bytes, piece]);
    const answer = this.#read(bytes);
    if (answer === undefined && this.#bytes.length === 0) this.#bytes = Buffer.from(this.#rest(bytes));
    else this.#bytes = this.#rest(bytes);
    return answer;
  }

  /** Notes the end of the connection. Returns the answer if that ends it. */
  end(): HttpAnswer | undefined {
    if (this.#head?.length !== "close") return undefined;
    return { status: this.#head.status, reusable: false, body: this.#bytes.toString("utf8") };
  }

  #consumed = 0;

  #rest(bytes: Buffer): Buffer {
    const rest = bytes.subarray(this.#consumed);
    this.#consumed = 0;
    return rest;
  }

  #read(bytes: Buffer): HttpAnswer | undefined {
    if (this.#head === undefined) {
      const end = bytes.indexOf(headEnd, this.#consumed);
      if (end < 0) {
        if (bytes.length > maxHeadBytes) throw new Error("an answer that is not HTTP/1.1");
        return undefined;
      }
      const head = parseHead(bytes.toString("latin1", this.#consumed, end));
      this.#consumed = end + headEnd.length;
      // 100 Continue and other interim responses precede the answer.
      if (head.status < 200) return this.#read(bytes);
      this.#head = head;
    }
    const { status, reusable, length } = this.#head;
    if (length === "close") return undefined;
    const rest = bytes.subarray(this.#consumed);
    const body = length === "chunked" ? joinChunks(rest) : rest.length < length ? undefined : rest.subarray(0, length);
    return body === undefined ? undefined : { status, reusable, body: body.toString("utf8") };
  }
}
