import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

const ipv4Networks = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"],
  ...["192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"],
];
const ipv6Networks = ["::/127", "fc00::/7", "fe80::/10", "ff00::/8"];
const local = new BlockList();
for (const network of [...ipv4Networks, ...ipv6Networks]) {
  const [address = "", bits] = network.split("/");
  local.addSubnet(address, Number(bits), isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** IPv4 address inside a mapped or translated IPv6 address (`::ffff:10.0.0.1`, `64:ff9b::10.0.0.1`); else the address as `URL` normalises it. */
function unwrapped(address: string): string {
  const written = URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1) ?? address;
  const [, high, low] = /^(?:::ffff:|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(written) ?? [];
  if (high === undefined || low === undefined) return written;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join(".");
}

/** True for an IP address of this machine or of a private network. */
export function isLocalAddress(address: string): boolean {
  const plain = isIP(address) === 6 ? unwrapped(address) : address;
  return local.check(plain, isIP(plain) === 6 ? "ipv6" : "ipv4");
}

/** True when any address of a host is local; null when the name can't be resolved. */
async function isLocalHost(hostname: string): Promise<boolean | null> {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(host) !== 0) return isLocalAddress(host);
  try {
    const found = await lookup(host, { all: true });
    return found.some(({ address }) => isLocalAddress(address));
  } catch {
    return null;
  }
}

/**
 * Reason not to follow a redirect; null when it may be followed. A server on the internet must not redirect to this machine or its network, where services often
 * trust every client.
 */
export async function redirectRefusal(from: URL, to: URL): Promise<string | null> {
  if (to.protocol !== "https:" && to.protocol !== "http:") return `to ${to.protocol}//…, which is not HTTP`;
  if (from.protocol === "https:" && to.protocol === "http:") return `to ${to.host} without encryption`;
  if (from.host === to.host) return null;
  if ((await isLocalHost(to.hostname)) === true && (await isLocalHost(from.hostname)) !== true)
    return `to ${to.host}, which is an address of this machine or its network`;
  return null;
}
