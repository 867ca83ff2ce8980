import { expect, test } from "bun:test";
import type { LoadServer, SendResult } from "#tools/load/load-server.ts";
import { createRotation } from "#tools/load/rotate-servers.ts";

const never = new AbortController().signal;

/** Servers that answer from a script and note who was asked. */
function rotation(scripts: readonly (readonly SendResult[])[], retries: number) {
  const asked: number[] = [];
  const causes: string[] = [];
  const servers = scripts.map((script, index): LoadServer => {
    const left = [...script];
    return {
      async send() {
        asked.push(index);
        return left.shift() ?? { kind: "ok" };
      },
      close() {},
    };
  });
  const send = createRotation({
    servers,
    nextTexts: () => ["a"],
    retries,
    retryWaitMs: 1,
    onRetry: (cause) => causes.push(cause),
  });
  return { send, asked, causes };
}
const refused: SendResult = { kind: "refused", cause: "ECONNREFUSED" };

test("each server in turn", async () => {
  const { send, asked } = rotation([[], [], []], 3);
  for (let i = 0; i < 5; i += 1) expect(await send(never)).toBe("ok");
  expect(asked).toEqual([0, 1, 2, 0, 1]);
});
test("what nobody took on goes to the next one, and is counted", async () => {
  const { send, asked, causes } = rotation([[refused], [refused], []], 3);
  expect(await send(never)).toBe("ok");
  expect(asked).toEqual([0, 1, 2]);
  expect(causes).toEqual(["ECONNREFUSED", "ECONNREFUSED"]);
});
test("a failure is final", async () => {
  const { send, asked, causes } = rotation([[{ kind: "failed", cause: "HTTP 500" }], []], 3);
  expect(await send(never)).toBe("HTTP 500");
  expect(asked).toEqual([0]);
  expect(causes).toEqual([]);
});
test.each([
  [0, 1],
  [1, 2],
  [2, 3],
])("with %i retries %i are asked", async (retries, times) => {
  const { send, asked } = rotation([Array.from({ length: 9 }, () => refused)], retries);
  expect(await send(never)).toBe("ECONNREFUSED");
  expect(asked).toHaveLength(times);
});
test("stopped, nothing is sent again", async () => {
  const { send, asked } = rotation([[refused], []], 3);
  expect(await send(AbortSignal.abort())).toBe("ECONNREFUSED");
  expect(asked).toEqual([0]);
});
