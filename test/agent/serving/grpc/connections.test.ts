import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import pino from "pino";
import { clientNetwork } from "#agent/serving/grpc/connections.ts";
import type { GrpcServer } from "#agent/serving/grpc/grpc-server.ts";
import { eventually } from "../../../e2e/program.ts";
import {
  flag,
  frame,
  grpcMessage,
  openRawConnection,
  type RawConnection,
  writeFrame,
} from "../../../fakes/grpc/raw-connection.ts";
import { callOnce, key, keyHeader, openStream, startGrpc } from "./start-grpc.ts";

let server: GrpcServer;
const connections: RawConnection[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  await server.stop(0);
});

async function open(count: number): Promise<RawConnection[]> {
  const opened: RawConnection[] = [];
  for (let i = 0; i < count; i += 1) opened.push(await openRawConnection(server.address));
  connections.push(...opened);
  return opened;
}

/** Makes a call with the key. */
async function prove(connection: RawConnection): Promise<void> {
  await openStream(connection, 1, "akidb.embedding.v1.EmbeddingService/ListModels", [keyHeader]);
  await connection.send(writeFrame(frame.data, flag.endStream, 1, grpcMessage(Buffer.alloc(0))));
  expect(await connection.waitFor(({ type, stream }) => type === frame.headers && stream === 1)).not.toBeNull();
}

const embed = "/akidb.embedding.v1.EmbeddingService/Embed";
const question = grpcMessage(Buffer.from("\x12\x01a"));

test("those without a key are few, make room for others, and never for those with one", async () => {
  server = await startGrpc({ limits: { maxUnproven: 6, maxUnprovenPerAddress: 4 } });
  const proven = await open(1);
  await prove(proven[0] as RawConnection);
  const others = await open(20);
  await eventually(
    async () => others.filter(({ closed }) => !closed).length,
    (left) => left === 4,
  );
  expect(server.load().connections).toBe(5);
  expect(proven[0]?.closed).toBe(false);
  expect(await callOnce(server.address, embed, Object.fromEntries([keyHeader]), question)).toMatchObject({ status: 0 });
});

test("one with an open call is not closed for others: these are refused", async () => {
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(line) });
  server = await startGrpc({ limits: { maxUnprovenPerAddress: 2 }, log });
  const held = await open(2);
  for (const connection of held) {
    await openStream(connection, 1, "grpc.health.v1.Health/Watch");
    await connection.send(writeFrame(frame.data, flag.endStream, 1, grpcMessage(Buffer.alloc(0))));
    await connection.waitFor(({ type }) => type === frame.headers);
  }
  const [refused] = await open(1);
  await eventually(
    async () => refused?.closed,
    (closed) => closed === true,
  );
  expect(held.map(({ closed }) => closed)).toEqual([false, false]);
  expect(lines.join()).toContain('"reason":"too many without a key from one address"');
});

test.each([{ apiKeys: [key] }, { apiKeys: [] }])(
  "there are never more than configured (keys: %p)",
  async ({ apiKeys }) => {
    server = await startGrpc({ apiKeys, maxConnections: 5 });
    const opened = await open(5);
    if (apiKeys.length > 0) for (const connection of opened) await prove(connection);
    const [refused] = await open(1);
    await eventually(
      async () => refused?.closed,
      (closed) => closed === true,
    );
    expect(opened.map(({ closed }) => closed)).toEqual(Array(5).fill(false));
    expect(server.load().connections).toBe(5);
  },
);

describe("a connection is closed", () => {
  test("that says nothing", async () => {
    server = await startGrpc({ apiKeys: [], limits: { handshakeMs: 100 } });
    const socket = connect(Number(server.address.split(":").at(-1)), "127.0.0.1");
    socket.on("error", () => {});
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.resume();
    await closed;
    expect(server.load().connections).toBe(0);
  });

  test("that shows no key and has no call", async () => {
    server = await startGrpc({ limits: { unprovenIdleMs: 100 } });
    const [idle, proven, watching] = (await open(3)) as [RawConnection, RawConnection, RawConnection];
    await prove(proven);
    await openStream(watching, 1, "grpc.health.v1.Health/Watch");
    await watching.send(writeFrame(frame.data, flag.endStream, 1, grpcMessage(Buffer.alloc(0))));
    await eventually(
      async () => idle.closed,
      (closed) => closed,
    );
    expect([proven.closed, watching.closed]).toEqual([false, false]);
  });
});

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["::ffff:10.0.0.7", "10.0.0.7"],
  ["::1", "0:0:0:0"],
  ["fd00:1:2:3:4:5:6:7", "fd00:1:2:3"],
  ["fd00:1::7", "fd00:1:0:0"],
  ["2001:DB8::", "2001:db8:0:0"],
  ["", ""],
])("%s is of the network %s", (address, network) => {
  expect(clientNetwork(address)).toBe(network);
});
