/**
 * Trusted comment of a release's signature. It names file, version, target and hash, so that an older file, or the other machine's, is not
 * taken for this one although its signature holds.
 */
export interface ReleaseComment {
  readonly file: string;
  readonly version: string;
  /** "any" for a file that is for every machine. */
  readonly target: string;
  readonly sha256: string;
  /** Time of the release, in seconds since 1970. */
  readonly timestamp: number;
}

/** Writes it as minisign does its own: fields that are parted by tabs. */
export function commentToText({ file, version, target, sha256, timestamp }: ReleaseComment): string {
  return [`timestamp:${timestamp}`, `file:${file}`, `version:${version}`, `target:${target}`, `sha256:${sha256}`].join(
    "\t",
  );
}

/** @throws Error that names the field that is missing or stands there twice */
export function parseComment(text: string): ReleaseComment {
  const fields = new Map<string, string>();
  for (const part of text.split("\t")) {
    const [, name = "", value = ""] = /^([a-z0-9]+):(.*)$/.exec(part) ?? [];
    if (fields.has(name)) throw new Error(`trusted comment: ${name} appears twice`);
    if (name !== "") fields.set(name, value);
  }
  const field = (name: string, pattern: RegExp, expected: string): string => {
    const value = fields.get(name);
    if (value === undefined || !pattern.test(value))
      throw new Error(
        `trusted comment: expected ${name}:${expected}, got ${value === undefined ? "none" : "another text"}`,
      );
    return value;
  };
  return {
    file: field("file", /^[A-Za-z0-9][A-Za-z0-9._+-]*$/, "NAME"),
    version: field("version", /^[0-9A-Za-z.-]+$/, "VERSION"),
    target: field("target", /^[a-z0-9-]+$/, "TARGET"),
    sha256: field("sha256", /^[0-9a-f]{64}$/, "64 hexadecimal digits"),
    timestamp: Number(field("timestamp", /^[0-9]{1,11}$/, "SECONDS")),
  };
}
