import { Type } from "@sinclair/typebox";

/** API key: printable ASCII without spaces, all that an Authorization header can carry. */
export const ApiKeyText = Type.String({
  pattern: "^[\\x21-\\x7e]{8,256}$",
  title: "8 to 256 printable ASCII characters without spaces",
  writeOnly: true,
});

/** Setting `allowedHosts` of a listener: names in a Host header besides addresses, the host's own name and private names. */
export const HostNames = Type.Array(Type.String({ pattern: "^[A-Za-z0-9._-]{1,253}$" }), {
  default: [],
  maxItems: 64,
  description:
    "public DNS names at which this API may be reached without a key; addresses, the host name and private names (.local, .internal, …) always work",
});
