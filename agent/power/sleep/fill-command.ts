/** Facts reported by a peer that an operator's command may use. */
export type PlaceholderName = "mac" | "host" | "agent";

/**
 * Valid values of each placeholder. A value is an argument of its own or part of one that a shell reads, so it has no character with a
 * meaning in a shell and does not begin like an option.
 */
const allowed: Readonly<Record<PlaceholderName, { readonly pattern: RegExp; readonly expected: string }>> = {
  mac: { pattern: /^(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$/, expected: "an Ethernet address like 48:b0:2d:01:02:03" },
  host: {
    pattern: /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:]{2,39}(?:\.[0-9.]{5,11})?)$/,
    expected: "a host name or an IP address",
  },
  agent: { pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, expected: "an id that begins with a letter or a digit" },
};

export type FilledCommand =
  | { readonly kind: "filled"; readonly command: readonly string[] }
  | { readonly kind: "refused"; readonly reason: string };

/** Replaces `{mac}`, `{host}` and `{agent}` in an operator's command by a peer's values; refuses an invalid value that the command uses. */
export function fillCommand(
  command: readonly string[],
  values: Readonly<Record<PlaceholderName, string>>,
): FilledCommand {
  const placeholder = /\{(mac|host|agent)\}/g;
  const named = new Set(command.flatMap((part) => [...part.matchAll(placeholder)].map(([, name]) => name)));
  for (const name of named as Set<PlaceholderName>) {
    const { pattern, expected } = allowed[name];
    const value = values[name];
    if (pattern.test(value)) continue;
    const got = value === "" ? "nothing" : JSON.stringify(value.slice(0, 80));
    const reason =
      name === "mac" && value === ""
        ? "it did not announce its power.sleep.mac"
        : `{${name}}: expected ${expected}, got ${got}`;
    return { kind: "refused", reason };
  }
  return {
    kind: "filled",
    command: command.map((part) => part.replaceAll(placeholder, (_, name: PlaceholderName) => values[name])),
  };
}
