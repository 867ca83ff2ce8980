import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import { countTrafficAsLife } from "#protocol/mqtt/count-traffic-as-life.ts";

function aClient() {
  const done: string[] = [];
  const client = Object.assign(new EventEmitter(), {
    sendPing: () => void done.push("ping"),
    onKeepaliveTimeout: () => void done.push("gave up"),
  });
  countTrafficAsLife(client);
  return { client, done };
}

test("a ping that is not answered ends a connection on which nothing comes", () => {
  const { client, done } = aClient();
  client.emit("packetreceive");
  client.sendPing();
  client.onKeepaliveTimeout();
  expect(done).toEqual(["ping", "gave up"]);
});

test("while messages come, the next ping is sent instead, as long as it takes", () => {
  const { client, done } = aClient();
  client.sendPing();
  for (let each = 0; each < 3; each += 1) {
    client.emit("packetreceive");
    client.onKeepaliveTimeout();
  }
  expect(done).toEqual(["ping", "ping", "ping", "ping"]);
  client.onKeepaliveTimeout();
  expect(done.at(-1)).toBe("gave up");
});
