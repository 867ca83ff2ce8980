/** Headers that keep browsers from taking an answer for something else, showing it inside another page, or keeping it. */
const securityHeaders: readonly (readonly [name: string, value: string])[] = [
  ["x-content-type-options", "nosniff"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["cross-origin-resource-policy", "same-origin"],
  ["referrer-policy", "no-referrer"],
  ["cache-control", "no-store"],
];

/** Sets the headers that an answer does not have. A page's own policy must not forget that no other page may show it. */
export function addSecurityHeaders(headers: Headers): void {
  for (const [name, value] of securityHeaders) if (!headers.has(name)) headers.set(name, value);
  const policy = headers.get("content-security-policy") as string;
  if (!policy.includes("frame-ancestors")) headers.set("content-security-policy", `${policy}; frame-ancestors 'none'`);
}
