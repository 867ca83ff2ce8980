import type { KeyPair } from "#platform/http/tls/read-key-pair.ts";
import type { ServerCertificate } from "#platform/http/tls/server-certificate.ts";

/** A listener's certificate that a test replaces. */
export function changeableCertificate(first: KeyPair): ServerCertificate & { replace(next: KeyPair): void } {
  let pair = first;
  const listeners: (() => void)[] = [];
  return {
    current: () => pair,
    onChange: (listener) => listeners.push(listener),
    problem: () => null,
    stop: () => undefined,
    replace(next) {
      pair = next;
      for (const listener of listeners) listener();
    },
  };
}
