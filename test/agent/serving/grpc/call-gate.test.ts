import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { embeddingServiceName } from "#agent/serving/grpc/embedding-service.ts";
import type { GrpcServer } from "#agent/serving/grpc/grpc-server.ts";
import { loadProtos } from "#agent/serving/grpc/protos.ts";
import { eventually } from "../../../e2e/program.ts";
import {
  callHeaders,
  flag,
  frame,
  grpcMessage,
  openRawConnection,
  type RawConnection,
  writeFrame,
  writeHeaders,
} from "../../../fakes/grpc/raw-connection.ts";
import { callOnce, key, keyHeader, openStream, startGrpc } from "./start-grpc.ts";

const embed = `${embeddingServiceName}/Embed`;
const reflect = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const watch = "grpc.health.v1.Health/Watch";

/** Every method of every service in the .proto files: one that is added there is among them. */
const methods = loadProtos().files.flatMap(({ namespace }) =>
  namespace.nestedArray.flatMap((object) =>
    "methodsArray" in object
      ? (object as ReturnType<ReturnType<typeof loadProtos>["service"]>).methodsArray.map(
          ({ name }) => `/${object.fullName.slice(1)}/${name}`,
        )
      : [],
  ),
);
/** The request for one text's vector. */
const small = grpcMessage(Buffer.from("\x12\x01a"));
const open = [`/${embeddingServiceName}/Health`, "/grpc.health.v1.Health/Check", `/${watch}`];
const closed = methods.filter((path) => !open.includes(path));

const servers: GrpcServer[] = [];
const connections: RawConnection[] = [];
async function start(options: Parameters<typeof startGrpc>[0] = {}): Promise<GrpcServer> {
  const server = await startGrpc(options);
  servers.push(server);
  return server;
}
async function connectTo(server: GrpcServer): Promise<RawConnection> {
  const connection = await openRawConnection(server.address);
  connections.push(connection);
  return connection;
}
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  await Promise.all(servers.splice(0).map((server) => server.stop(0)));
});

describe("a call needs a key before any of its message", () => {
  let server: GrpcServer;
  beforeAll(async () => {
    server = await startGrpc();
  });
  afterAll(async () => {
    await server.stop(0);
  });

  test("all methods of the .proto files are served, and three are open", () => {
    expect(server.methods.map(({ path }) => path).sort()).toEqual([...methods].sort());
    expect(
      server.methods
        .filter((method) => method.open)
        .map(({ path }) => path)
        .sort(),
    ).toEqual([...open].sort());
    expect(closed.length).toBeGreaterThanOrEqual(4);
  });

  const credentials: readonly (readonly [string, Record<string, string | string[]>])[] = [
    ["no key", {}],
    ["a wrong key", { authorization: "Bearer another" }],
    ["an empty value", { authorization: "" }],
    ["the scheme alone", { authorization: "Bearer " }],
    ["the key alone", { authorization: key }],
    ["another scheme", { authorization: `Basic ${key}` }],
    ["two keys in one", { authorization: `Bearer ${key}, Bearer ${key}` }],
    ["a key with more behind it", { authorization: `Bearer ${key} x` }],
    ["the right key as binary metadata", { "authorization-bin": Buffer.from(`Bearer ${key}`).toString("base64") }],
    ["the key in another header", { "x-api-key": key, "proxy-authorization": `Bearer ${key}` }],
    ["the name that the gate gives its calls", { "x-thormesh-call": "1" }],
  ];
  const unknown = [
    "/",
    "/none",
    `/${embed}/`,
    `/${embed}?`,
    `/${embed}%20`,
    "/akidb.embedding.v1.EmbeddingService/embed",
  ];
  test.each(credentials)(
    "%s: every method that is not open is refused, and so are those that do not exist",
    async (_, headers) => {
      const server = await start();
      for (const path of [...closed, ...unknown]) {
        const ending = await callOnce(server.address, path, headers);
        expect({ path, ...ending }).toEqual({
          path,
          status: 16,
          errorCode: "UNAUTHORIZED",
          message: "a valid API key is needed: Authorization: Bearer KEY",
        });
      }
      for (const path of open.filter((candidate) => candidate !== `/${watch}`)) {
        expect((await callOnce(server.address, path, headers)).status).toBe(0);
      }
    },
  );

  test.each([
    [[keyHeader, ["authorization", "Bearer another"]]],
    [[["authorization", "Bearer another"], keyHeader]],
    [[keyHeader, keyHeader]],
  ] as const)("two authorization headers are none", async (headers) => {
    const connection = await connectTo(server);
    await openStream(connection, 1, embed, headers);
    await connection.send(writeFrame(frame.data, flag.endStream, 1, grpcMessage(Buffer.from("\x12\x01a"))));
    expect(await connection.waitFor(({ type }) => type === frame.reset)).not.toBeNull();
    expect(connection.frames.some(({ type }) => type === frame.data)).toBe(false);
  });

  test("many wrong keys from an address are slowed down, the right one is not", async () => {
    const server = await start();
    const ask = (value: string) => callOnce(server.address, `/${embed}`, { authorization: `Bearer ${value}` }, small);
    const endings = await Promise.all(Array.from({ length: 30 }, (_, i) => ask(`guess-${i}`)));
    const refused = endings.filter(({ status }) => status === 8);
    expect(refused.length).toBeGreaterThan(10);
    expect(refused[0]).toMatchObject({ errorCode: "TOO_MANY_REQUESTS" });
    expect(endings.filter(({ status }) => status === 16).length).toBe(endings.length - refused.length);
    expect((await ask(key)).status).toBe(0);
  });

  test("a method that does not exist is said to be so to those with a key", async () => {
    for (const path of unknown) {
      expect(await callOnce(server.address, path, { authorization: `Bearer ${key}` })).toMatchObject({ status: 12 });
    }
  });

  test.each(closed)("%s: nothing of a message without a key is kept or asked for", async (path) => {
    const connection = await connectTo(server);
    for (let stream = 1; stream < 20; stream += 2) {
      await openStream(connection, stream, path.slice(1));
      // What a client may send unasked, and no more.
      const sent = await connection.sendData(stream, grpcMessage(Buffer.alloc(1_000_000), 1_000_001), 50);
      expect(sent).toBeLessThan(200_000);
    }
    const resets = connection.frames.filter(({ type }) => type === frame.reset);
    expect(resets.length).toBeGreaterThan(0);
    expect(resets.every(({ payload }) => payload.readUInt32BE(0) === 0)).toBe(true);
    expect(server.load()).toMatchObject({ calls: 0, heldBytes: 0 });
  });
});

describe("messages that do not become whole", () => {
  const part = (bytes: number) => grpcMessage(Buffer.alloc(bytes, 0x78), bytes + 1);

  test.each([{ apiKeys: [key] }, { apiKeys: [] }])(
    "never hold more than the budget of all (keys: %p)",
    async ({ apiKeys }) => {
      const budget = 8 * 1024 * 1024;
      const server = await start({ apiKeys, messageMemoryBytes: budget });
      const headers = apiKeys.length > 0 ? [keyHeader] : [];
      let most = 0;
      const looking = setInterval(() => {
        most = Math.max(most, server.load().heldBytes);
      }, 1);
      await Promise.all(
        Array.from({ length: 4 }, async () => {
          const connection = await connectTo(server);
          for (let stream = 1; stream < 13; stream += 2) {
            await openStream(connection, stream, embed, headers);
            await connection.sendData(stream, part(1_500_000), 5_000);
          }
        }),
      );
      clearInterval(looking);
      expect(most).toBeGreaterThan(budget / 2);
      expect(most).toBeLessThanOrEqual(budget);
      // Small messages are served meanwhile.
      expect((await callOnce(server.address, `/${embed}`, Object.fromEntries(headers), small)).status).toBe(0);
      for (const connection of connections.splice(0)) connection.close();
      await eventually(
        async () => server.load(),
        ({ heldBytes, calls }) => heldBytes === 0 && calls === 0,
      );
    },
  );

  test.each(closed.filter((path) => !path.includes("Reflection")))("%s: are ended after a while", async (path) => {
    const server = await start({ limits: { receiveMs: 200 } });
    const whole = grpcMessage(Buffer.from("\x12\x01a"));
    const ending = await callOnce(server.address, path, Object.fromEntries([keyHeader]), whole.subarray(0, 6), {
      open: true,
    });
    expect(ending).toMatchObject({ status: 4, errorCode: "REQUEST_TIMEOUT" });
    // Whole, but without the end of what the client sends.
    expect(await callOnce(server.address, path, Object.fromEntries([keyHeader]), whole, { open: true })).toMatchObject({
      status: 4,
    });
  });

  test.each(methods.filter((path) => path !== `/${embed}`))("%s takes no large message", async (path) => {
    const server = await start();
    const connection = await connectTo(server);
    await openStream(connection, 1, path.slice(1), [keyHeader]);
    const sent = await connection.sendData(1, part(4_000_000), 1_000);
    if (!path.includes("Reflection")) expect(sent).toBeLessThan(200_000);
    expect(server.load().heldBytes).toBeLessThan(100_000);
  });

  test("a message is counted by what it is unpacked, and refused where that is too much", async () => {
    const server = await start({ messageMemoryBytes: 5 * 1024 * 1024 });
    const text = Buffer.alloc(3 * 1024 * 1024, 0x61);
    const length = Buffer.from([0x80, 0x80, 0xc0, 0x01]);
    const packed = Bun.gzipSync(Buffer.concat([Buffer.from([0x12]), length, text]));
    const message = grpcMessage(packed, packed.length, 1);
    const headers = { ...Object.fromEntries([keyHeader]), "grpc-encoding": "gzip" };
    expect((await callOnce(server.address, `/${embed}`, headers, message)).status).toBe(0);
    const endings = await Promise.all([1, 2, 3].map(() => callOnce(server.address, `/${embed}`, headers, message)));
    expect(endings.map(({ status }) => status).sort()).toEqual([0, 8, 8]);
    expect(server.load().heldBytes).toBe(0);
  });
});

describe("answers that are not taken", () => {
  const texts = grpcMessage(Buffer.concat(Array.from({ length: 1_000 }, () => Buffer.from("\x12\x01a"))));

  test("are bounded for all calls together, and refused before they are written", async () => {
    const budget = 8 * 1024 * 1024;
    const server = await start({ messageMemoryBytes: budget });
    const connection = await connectTo(server);
    for (let stream = 1; stream < 60; stream += 2) {
      await openStream(connection, stream, embed, [keyHeader]);
      await connection.sendData(stream, texts, 5_000, true);
    }
    // Each would be 1.5 MB; five fit.
    await eventually(
      async () => server.load().calls,
      (calls) => calls === 5,
    );
    expect(server.load().heldBytes).toBeLessThanOrEqual(budget);
  });

  test("end their call after a while", async () => {
    const server = await start({ limits: { answerMs: 200 } });
    const connection = await connectTo(server);
    await openStream(connection, 1, embed, [keyHeader]);
    await connection.send(writeFrame(frame.data, flag.endStream, 1, texts));
    expect(await connection.waitFor(({ type }) => type === frame.reset)).not.toBeNull();
    await eventually(
      async () => server.load(),
      ({ heldBytes, calls }) => heldBytes === 0 && calls === 0,
    );
  });

  test("of reflection: no more questions are read until they are", async () => {
    const server = await start();
    const connection = await connectTo(server);
    await openStream(connection, 1, reflect, [keyHeader]);
    const name = Buffer.from(embeddingServiceName);
    const question = grpcMessage(Buffer.concat([Buffer.from([0x22, name.length]), name]));
    const sent = await connection.sendData(1, Buffer.concat(Array.from({ length: 40_000 }, () => question)), 1_000);
    // The windows of one connection, some of them on their way: 10,000 questions would be 20 MB of answers.
    expect(sent).toBeLessThan(400_000);
    const answered = connection.frames.filter(({ type }) => type === frame.data);
    expect(answered.reduce((sum, { payload }) => sum + payload.length, 0)).toBeLessThanOrEqual(65_535);
  });
});

test("reflection ends a stream with too many questions", async () => {
  const server = await start({ apiKeys: [] });
  const question = grpcMessage(Buffer.from([0x3a, 0]));
  const many = Buffer.concat(Array.from({ length: 1_100 }, () => question));
  expect(await callOnce(server.address, `/${reflect}`, {}, many)).toMatchObject({ status: 8 });
});

describe("open calls", () => {
  test("that last are bounded on a connection and in all", async () => {
    const server = await start({ limits: { lastingCallsPerConnection: 3, lastingCalls: 5 } });
    const empty = writeFrame(frame.data, flag.endStream, 1, grpcMessage(Buffer.alloc(0)));
    for (let i = 0; i < 3; i += 1) {
      const connection = await connectTo(server);
      for (let stream = 1; stream < 20; stream += 2) {
        await openStream(connection, stream, watch);
        empty.writeUInt32BE(stream, 5);
        await connection.send(Buffer.from(empty));
      }
      await connection.waitFor(({ stream, type }) => stream === 19 && type === frame.reset);
    }
    expect(server.load().calls).toBe(5);
    expect(await callOnce(server.address, `/${watch}`, {})).toMatchObject({
      status: 8,
      errorCode: "TOO_MANY_REQUESTS",
    });
  });

  test("of a connection without a key are few", async () => {
    const server = await start({ limits: { unprovenCalls: 4 } });
    const connection = await connectTo(server);
    for (let stream = 1; stream < 40; stream += 2) await openStream(connection, stream, "grpc.health.v1.Health/Check");
    await connection.waitFor(({ stream, type }) => stream === 39 && type === frame.reset);
    expect(server.load().calls).toBe(4);
  });

  test("have headers of bounded size", async () => {
    const server = await start();
    const ending = await callOnce(server.address, "/grpc.health.v1.Health/Check", { "x-much": "y".repeat(20_000) });
    expect(ending).toMatchObject({ status: 8, errorCode: "PAYLOAD_TOO_LARGE" });
    expect(ending.message).toContain("metadata");
  });
});

test.each([
  ["GET", "application/grpc"],
  ["POST", "application/json"],
  ["POST", ""],
])("%s with content type %p is refused and leaves nothing open", async (method, type) => {
  const server = await start({ apiKeys: [] });
  const connection = await connectTo(server);
  const headers = callHeaders(embed).map(([name, value]) =>
    name === ":method"
      ? ([name, method] as const)
      : name === "content-type"
        ? ([name, type] as const)
        : ([name, value] as const),
  );
  await connection.send(writeFrame(frame.headers, flag.endHeaders, 1, writeHeaders(headers)));
  expect(await connection.waitFor(({ type }) => type === frame.reset)).not.toBeNull();
  expect(server.load().calls).toBe(0);
});

describe("thousands of calls at once over few connections", () => {
  const health = `${embeddingServiceName}/Health`;
  const calls = (method: string, count: number, headers: Parameters<typeof callHeaders>[1] = [], first = 1) =>
    Array.from({ length: count }, (_, i) => [
      writeFrame(frame.headers, flag.endHeaders, first + 2 * i, writeHeaders(callHeaders(method, headers))),
      writeFrame(frame.data, flag.endStream, first + 2 * i, grpcMessage(Buffer.alloc(0))),
    ]).flat();

  test.each([...methods.map((path) => path.slice(1)), "no.Service/Method"])(
    "%s: a connection without a key is closed, others are answered",
    async (method) => {
      const server = await start();
      const flood = await Promise.all(Array.from({ length: 5 }, () => connectTo(server)));
      await Promise.all(flood.map((connection) => connection.send(...calls(method, 1_000))));
      expect((await callOnce(server.address, `/${health}`, {})).status).toBe(0);
      await eventually(
        async () => flood.filter(({ closed }) => !closed).length,
        (open) => open === 0,
      );
      await eventually(
        async () => server.load().calls,
        (open) => open === 0,
      );
    },
  );

  test("one that has shown a key is not", async () => {
    const server = await start();
    const connection = await connectTo(server);
    await connection.send(...calls(`${embeddingServiceName}/ListModels`, 1, [keyHeader]));
    await connection.waitFor(({ stream }) => stream === 1);
    await connection.send(...calls(health, 200, [], 3));
    const last = await connection.waitFor(({ type, stream }) => type === frame.headers && stream === 401);
    expect(last).not.toBeNull();
    expect(connection.closed).toBe(false);
  });

  test("some begin in each turn of the event loop", async () => {
    let inTurn = 0;
    let most = 0;
    const view = {
      health() {
        if (inTurn === 0) {
          setImmediate(() => {
            inTurn = 0;
          });
        }
        inTurn += 1;
        most = Math.max(most, inTurn);
        return { status: "healthy" as const, checks: {}, details: {}, version: "1" };
      },
      models: async () => [],
    };
    const server = await start({ apiKeys: [], view });
    const flood = await Promise.all(Array.from({ length: 5 }, () => connectTo(server)));
    await Promise.all(flood.map((connection) => connection.send(...calls(health, 400))));
    for (const connection of flood) expect(await connection.waitFor(({ stream }) => stream === 799)).not.toBeNull();
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(128);
  });
});
