import { BlockList, isIP } from "node:net";

/** True for a name or network of the configuration that covers a host: `*.plant.example`, `thor.example`, `10.0.0.0/8`, `10.1.2.3`. */
export function coversHost(pattern: string, host: string): boolean {
  if (pattern.startsWith("*.")) return host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
  const [address = "", bits] = pattern.split("/");
  const family = isIP(address);
  if (family === 0) return pattern === host;
  if (isIP(host) !== family) return false;
  const kind = family === 6 ? "ipv6" : "ipv4";
  const list = new BlockList();
  list.addSubnet(address, Number(bits ?? (family === 6 ? 128 : 32)), kind);
  return list.check(host, kind);
}
