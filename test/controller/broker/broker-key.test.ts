import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brokerKeyPath, keptBrokerKey, readBrokerKey, shareBrokerKey } from "#controller/broker/broker-key.ts";
import { createLogger } from "#platform/log.ts";
import { sharedKeyPath } from "#protocol/broker-secret.ts";
import { testKey } from "../../fakes/broker-clients.ts";

const log = createLogger("test", "silent");
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-broker-key-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));
const modeOf = (path: string) => statSync(path).mode & 0o777;

describe("the key of a fleet's broker", () => {
  test("is made once, for this user alone, and kept", () => {
    const key = keptBrokerKey(join(directory, "state"));
    expect(key).toHaveLength(32);
    expect(keptBrokerKey(join(directory, "state"))).toEqual(key);
    expect(modeOf(brokerKeyPath(join(directory, "state")))).toBe(0o600);
    expect(keptBrokerKey(join(directory, "other"))).not.toEqual(key);
    expect(readBrokerKey(join(directory, "none"))).toBeNull();
  });

  test.each([0o604, 0o640, 0o660, 0o620, 0o666, 0o601])("that others could use (mode %o) is refused", (mode) => {
    keptBrokerKey(directory);
    chmodSync(brokerKeyPath(directory), mode);
    expect(() => keptBrokerKey(directory)).toThrow(/broker\.key.*chmod 600/);
  });

  test.each(["", "short", "a".repeat(42), "a".repeat(44), "ä".repeat(43), `${"a".repeat(43)} x`])(
    "that is damaged (%p) is refused, and not replaced",
    (text) => {
      writeFileSync(brokerKeyPath(directory), text, { mode: 0o600 });
      expect(() => keptBrokerKey(directory)).toThrow(brokerKeyPath(directory));
      expect(readFileSync(brokerKeyPath(directory), "utf8")).toBe(text);
    },
  );

  test("that is no file is refused", () => {
    mkdirSync(brokerKeyPath(directory));
    expect(() => keptBrokerKey(directory)).toThrow("expected a file");
  });
});

describe("left for agents of this user", () => {
  const environment = () => ({ XDG_STATE_HOME: directory });

  test("it is for this user alone, and gone when the controller ends", () => {
    const unshare = shareBrokerKey(testKey, 1883, environment(), log);
    const path = sharedKeyPath(environment(), 1883);
    expect(path).toBe(join(directory, "thormesh", "broker", "1883.key"));
    expect([modeOf(path), modeOf(join(path, ".."))]).toEqual([0o600, 0o700]);
    unshare();
    expect(existsSync(path)).toBe(false);
    unshare();
  });

  test("under systemd it lies in the service's state directory", () => {
    expect(sharedKeyPath({ STATE_DIRECTORY: "/var/lib/x", XDG_STATE_HOME: "/var/y" }, 99)).toBe(
      "/var/lib/x/broker/99.key",
    );
  });

  test("what another controller has left at the port since stays", () => {
    const unshare = shareBrokerKey(testKey, 1883, environment(), log);
    const another = new Uint8Array(32);
    shareBrokerKey(another, 1883, environment(), log);
    unshare();
    expect(readFileSync(sharedKeyPath(environment(), 1883), "utf8")).toBe(`${"A".repeat(43)}\n`);
  });

  test("a file there that others could read is replaced by one that they can't", () => {
    const path = sharedKeyPath(environment(), 1883);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, "x", { mode: 0o666 });
    shareBrokerKey(testKey, 1883, environment(), log);
    expect(modeOf(path)).toBe(0o600);
  });

  test("where it can't be written the controller goes on", () => {
    writeFileSync(join(directory, "thormesh"), "no directory");
    shareBrokerKey(testKey, 1883, environment(), log)();
  });
});
