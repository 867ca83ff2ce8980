/** By which a request is found again in logs; the answer has it too. */
export const requestIdHeader = "x-request-id";

/** What may stand in a log and in a header without harm. */
const acceptable = /^[\w.:/+=@~-]{1,128}$/;

/** The id that the client gave its request, where it can be used; a new one otherwise. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get(requestIdHeader);
  return given !== null && acceptable.test(given) ? given : crypto.randomUUID();
}
