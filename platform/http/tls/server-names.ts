import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";

/** Maximum names, and addresses, in a certificate: each handshake carries them. */
const maxOfEach = 32;
const name = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;

/** Names and addresses under which a server is reached. */
export interface ServerNames {
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    // Link-local ones are written with their interface, which a certificate can't hold.
    (addresses ?? []).filter(({ address }) => !/^fe80:/i.test(address)).map(({ address }) => address),
  );
}

/**
 * Lists what a server's certificate should name: this machine, and what is configured.
 * @param host address that it listens on; one that means all stands for all addresses of this machine
 * @param more further names and addresses; what can't stand in a certificate is left out
 */
export function serverNames(host: string, more: readonly string[]): ServerNames {
  const listened = host === "0.0.0.0" || host === "::" ? ownAddresses() : [host];
  const all = ["localhost", hostname(), "127.0.0.1", "::1", ...more, ...listened].map((each) => each.toLowerCase());
  const addresses = all.filter((each) => isIP(each) !== 0);
  const dnsNames = all.filter((each) => isIP(each) === 0 && name.test(each));
  return {
    dnsNames: [...new Set(dnsNames)].slice(0, maxOfEach),
    addresses: [...new Set(addresses)].slice(0, maxOfEach),
  };
}
