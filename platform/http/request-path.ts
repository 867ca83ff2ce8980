/**
 * The path of a request's URL as the router sees it: from the first slash after the host to the question mark, nothing decoded or
 * resolved. The key check must look at this and not at `new URL(…).pathname`, or the two could be made to differ.
 */
export function requestPath(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start === -1) return "/";
  const end = url.indexOf("?", start);
  return end === -1 ? url.slice(start) : url.slice(start, end);
}
