/** Sentences for the faults of a server's certificate, by the codes of the TLS library. */
const faults: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED:
    "its certificate has expired, or this machine's clock is wrong: compare with date -u, then renew the certificate there or set the clock (timedatectl set-ntp true)",
  CERT_NOT_YET_VALID:
    "its certificate is not valid yet, or this machine's clock is wrong: compare with date -u, and set the clock that is wrong (timedatectl set-ntp true)",
  CERT_REVOKED: "its certificate was revoked: issue it a new one",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "its certificate is for other names: use a name or address in the certificate, or add this one there (tls.hosts with the fleet's certificate)",
  ...Object.fromEntries(
    [
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "UNABLE_TO_GET_ISSUER_CERT",
      "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
      "SELF_SIGNED_CERT_IN_CHAIN",
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "CERT_SIGNATURE_FAILURE",
    ].map((code) => [
      code,
      "its certificate is from an authority that is not trusted here: pass that authority's certificate with --ca FILE or THORMESH_CA_FILE (the fleet's is ca.pem in the controller's state directory)",
    ]),
  ),
};

/** Says what is wrong with the certificate of a server that could not be asked, and the remedy; null where that is not the reason. */
export function explainTlsFault(error: unknown): string | null {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 4; cause = cause.cause, depth += 1) {
    const { code } = cause as { code?: unknown };
    if (typeof code === "string" && Object.hasOwn(faults, code)) return faults[code] ?? null;
  }
  return null;
}
