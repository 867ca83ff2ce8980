import { createServer, type Socket } from "node:net";
import { generate, type IConnackPacket, type IConnectPacket, type Packet, parser } from "mqtt-packet";

/** Turn of a scripted broker: a packet that a client sent, and the means to answer it. */
export interface BrokerTurn {
  /** Connections so far, this one included. */
  readonly connection: number;
  readonly connect: IConnectPacket;
  readonly packet: Packet;
  /** Bytes of the packet after its fixed header. */
  readonly bytes: number;
  send(packet: Packet): void;
  /** Ends the connection without a word. */
  hangUp(): void;
}

export interface ScriptedBroker {
  readonly url: string;
  /** Packets of all clients in order of arrival. */
  readonly received: Packet[];
  /** Versions that the connections asked for. */
  readonly versions: number[];
  stop(): Promise<void>;
}

/** Acknowledges everything, as a broker does that lets nobody read. */
export function answerUsually({ connect, packet, send }: BrokerTurn, connack: Partial<IConnackPacket> = {}): void {
  const isNew = connect.protocolVersion === 5;
  if (packet.cmd === "connect")
    send({ cmd: "connack", sessionPresent: false, ...(isNew ? { reasonCode: 0 } : { returnCode: 0 }), ...connack });
  else if (packet.cmd === "subscribe")
    send({ cmd: "suback", messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(() => 1) });
  else if (packet.cmd === "publish" && packet.qos === 1) send({ cmd: "puback", messageId: packet.messageId ?? 0 });
  else if (packet.cmd === "unsubscribe")
    send({ cmd: "unsuback", messageId: packet.messageId ?? 0, granted: packet.unsubscriptions.map(() => 0) });
  else if (packet.cmd === "pingreq") send({ cmd: "pingresp" });
}

/** A broker on a free loopback port that answers as `turn` says: for answers that no real broker can be made to give. */
export async function createScriptedBroker(turn: (turn: BrokerTurn) => void): Promise<ScriptedBroker> {
  const received: Packet[] = [];
  const versions: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    const reader = parser();
    let connect: IConnectPacket | undefined;
    reader.on("packet", (packet) => {
      if (packet.cmd === "connect") {
        connect = packet;
        versions.push(packet.protocolVersion ?? 4);
      }
      if (connect === undefined) {
        socket.destroy();
        return;
      }
      received.push(packet);
      const { protocolVersion = 4 } = connect;
      turn({
        ...{ connection: versions.length, connect, packet, bytes: packet.length ?? 0 },
        send: (answer) => void socket.write(generate(answer, { protocolVersion })),
        hangUp: () => void socket.destroy(),
      });
    });
    reader.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => reader.parse(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `mqtt://127.0.0.1:${port}`,
    received,
    versions,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
