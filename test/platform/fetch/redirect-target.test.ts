import { expect, test } from "bun:test";
import { isLocalAddress, redirectRefusal } from "#platform/fetch/redirect-target.ts";

const local = [
  "127.0.0.1",
  "127.8.8.8",
  "0.0.0.0",
  "10.1.2.3",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "169.254.169.254",
  "100.64.0.1",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:10.0.0.1",
  "::ffff:a9fe:a9fe",
  "64:ff9b::10.0.0.1",
  "fd00::1",
  "fe80::1",
  "ff02::1",
];
const reachable = ["1.1.1.1", "172.32.0.1", "100.128.0.1", "8.8.8.8", "2606:4700::1111", "::ffff:1.1.1.1"];

test.each(local)("%s is local", (address) => {
  expect(isLocalAddress(address)).toBe(true);
});
test.each(reachable)("%s is not", (address) => {
  expect(isLocalAddress(address)).toBe(false);
});

const written = (address: string) => (address.includes(":") ? `[${address}]` : address);

test.each(local)("no server of the internet leads to %s", async (address) => {
  const to = new URL(`https://${written(address)}/latest/meta-data`);
  expect(await redirectRefusal(new URL("https://1.1.1.1/a"), to)).toContain("this machine or its network");
  // A mirror in the same network may.
  expect(await redirectRefusal(new URL("https://10.9.9.9/a"), to)).toBeNull();
});

test.each([
  ["https://1.1.1.1/", "http://1.1.1.1/", "without encryption"],
  ["https://10.0.0.1/", "http://10.0.0.2/", "without encryption"],
  ["https://1.1.1.1/", "ftp://1.1.1.1/", "not HTTP"],
  ["https://1.1.1.1/", "file:///etc/passwd", "not HTTP"],
  ["https://1.1.1.1/", "https://localhost/", "this machine"],
  ["https://1.1.1.1/", "https://2130706433/", "this machine"],
  ["https://1.1.1.1/", "https://0x7f.1/", "this machine"],
])("from %s to %s: refused", async (from, to, why) => {
  expect(await redirectRefusal(new URL(from), new URL(to))).toContain(why);
});

test.each([
  ["https://1.1.1.1/a", "https://8.8.8.8/b"],
  ["http://1.1.1.1/a", "https://1.1.1.1/b"],
  ["http://127.0.0.1:1/a", "http://127.0.0.1:2/b"],
])("from %s to %s: followed", async (from, to) => {
  expect(await redirectRefusal(new URL(from), new URL(to))).toBeNull();
});
