import { expect, test } from "bun:test";
import { listenOnly, noBroker, whileLeading } from "#controller/broker/leading-broker.ts";
import { createRecordingBroker } from "../recording-broker.ts";

test("a controller is heard only while it leads, and hears all the time", async () => {
  const inner = createRecordingBroker();
  let isLeading = true;
  const broker = whileLeading(inner, () => isLeading);
  const heard: string[] = [];
  broker.subscribe("a/+", ({ topic }) => void heard.push(topic));
  await broker.publish("x", "{}", { retain: true });
  isLeading = false;
  await expect(broker.publish("x", "{}", { retain: true })).rejects.toThrow(/another controller leads/);
  await inner.deliver("a/b", {});
  expect([inner.published.length, heard, broker.connected]).toEqual([1, ["a/b"], true]);
});

test("one that stands by hears and says nothing", async () => {
  const inner = createRecordingBroker();
  const heard: string[] = [];
  const broker = listenOnly(inner);
  broker.subscribe("a/+", ({ topic }) => void heard.push(topic));
  await broker.publish("x", "{}", { retain: true });
  await inner.deliver("a/b", {});
  expect([inner.published, heard]).toEqual([[], ["a/b"]]);
  const states: boolean[] = [];
  noBroker.onConnection((is) => states.push(is));
  await noBroker.publish("x", "{}", { retain: true });
  expect([states, noBroker.connected]).toEqual([[false], false]);
});
