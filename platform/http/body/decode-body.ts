import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, zstdDecompress } from "node:zlib";
import { ServiceError } from "#platform/errors.ts";

/** Decoders of compressed bodies, by HTTP's names of the encodings. */
const decoders = {
  gzip: promisify(gunzip),
  "x-gzip": promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
} as const;

/** Encodings for `Accept-Encoding` and for the error about another one. */
export const acceptedEncodings = "gzip, deflate, br, zstd";

/** Encoding of a compressed body; null for any other. */
export function contentEncoding(headers: Headers): string | null {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  return encoding === "" || encoding === "identity" ? null : encoding;
}

/**
 * Decompresses a body of up to `maxBytes`.
 * @returns null when it is larger.
 * @throws ServiceError UNSUPPORTED_MEDIA_TYPE for an unknown encoding, INVALID_REQUEST for bytes that are not valid in it.
 */
export async function decodeBody(
  bytes: Uint8Array<ArrayBuffer>,
  encoding: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (!Object.hasOwn(decoders, encoding)) {
    throw new ServiceError(
      "UNSUPPORTED_MEDIA_TYPE",
      `content-encoding: expected one of ${acceptedEncodings}, got ${JSON.stringify(encoding.slice(0, 100))}`,
      { details: { param: "content-encoding" } },
    );
  }
  const decode = decoders[encoding as keyof typeof decoders];
  try {
    return new Uint8Array(await decode(bytes, { maxOutputLength: maxBytes }));
  } catch (cause) {
    if ((cause as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") return null;
    throw new ServiceError("INVALID_REQUEST", `the body is not valid ${encoding}`, {
      cause,
      details: { param: "body" },
    });
  }
}
