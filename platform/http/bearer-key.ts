import { createHash, timingSafeEqual } from "node:crypto";

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * Checks an `Authorization: Bearer KEY` header against the configured keys, in a time that tells nothing about them.
 * @returns a function that is true for a header with one of the keys.
 */
export function createBearerCheck(apiKeys: readonly string[]): (authorization: string | null) => boolean {
  const accepted = apiKeys.map(digest);
  return (authorization) => {
    const key = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    if (key === undefined) return false;
    const given = digest(key);
    let matches = false;
    for (const candidate of accepted) matches = timingSafeEqual(candidate, given) || matches;
    return matches;
  };
}
