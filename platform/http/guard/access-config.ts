import { Type } from "@sinclair/typebox";

/** An API key: printable ASCII without blanks, because an Authorization header can carry no other and a blank would end it. */
export const ApiKeyText = Type.String({
  pattern: "^[\\x21-\\x7e]{8,256}$",
  title: "8 to 256 printable ASCII characters without spaces",
  writeOnly: true,
});

/** The `allowedHosts` of a listener: what a Host header may say beside addresses, the host's own name and private names. */
export const HostNames = Type.Array(Type.String({ pattern: "^[A-Za-z0-9._-]{1,253}$" }), {
  default: [],
  maxItems: 64,
  description:
    "public DNS names by which this API may be reached without a key; addresses, the host's name and private names (.local, .internal, …) always work",
});
