/** Header of the id that links a request, its answer and its log lines. */
export const requestIdHeader = "x-request-id";

/** Pattern of ids that are safe in a log and a header. */
const acceptable = /^[\w.:/+=@~-]{1,128}$/;

/** Id that the client gave its request if it is safe to use, else a new one. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get(requestIdHeader);
  return given !== null && acceptable.test(given) ? given : crypto.randomUUID();
}
