/** Trouble with certificates: this side's own, which the broker does not take, or the broker's. */
export type TlsFault =
  | "own-expired"
  | "own-revoked"
  | "own-unknown"
  | "own-missing"
  | "own-refused"
  | "broker-expired"
  | "broker-not-yet-valid"
  | "broker-unknown"
  | "broker-name";

/** Words of TLS alerts, which come from the other side, and of this side's own checks. */
const words: readonly (readonly [RegExp, TlsFault])[] = [
  [/ALERT_CERTIFICATE_EXPIRED/, "own-expired"],
  [/ALERT_CERTIFICATE_REVOKED/, "own-revoked"],
  [/ALERT_UNKNOWN_CA/, "own-unknown"],
  [/ALERT_CERTIFICATE_REQUIRED/, "own-missing"],
  // OpenSSL says so of a certificate that is not valid yet, too.
  [/ALERT_(BAD|UNSUPPORTED)_CERTIFICATE|ALERT_CERTIFICATE_UNKNOWN|ALERT_ACCESS_DENIED/, "own-refused"],
  [/certificate has expired|CERT_HAS_EXPIRED/i, "broker-expired"],
  [/certificate is not yet valid|CERT_NOT_YET_VALID/i, "broker-not-yet-valid"],
  [/self.signed certificate|unable to (verify the first|get (local )?issuer) certificate/i, "broker-unknown"],
  [/does not match certificate's altnames/i, "broker-name"],
];

/** Returns the trouble with certificates that ended a connection, by the words of TLS; null: none. */
export function tlsFault(reason: string): TlsFault | null {
  return words.find(([pattern]) => pattern.test(reason))?.[1] ?? null;
}
