import type { Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import type { CountedLog } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import { type DeviceCertificate, readDeviceCertificate } from "#protocol/identity/device-certificate.ts";
import type { FleetAuthority } from "../../identity/fleet-authority.ts";

/** Life of the broker's own certificate, and the time after which it gets another one. */
const certificateMs = 60 * dayMs;
const renewAfterMs = 7 * dayMs;
const lookEachMs = dayMs / 4;

export interface DeviceListenerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly authority: FleetAuthority;
  readonly handshakeMs: number;
  /** Takes a connection in before anything is known of it; false: it was ended. */
  readonly onConnection: (socket: Socket) => boolean;
  /** Called when the peer has proven that a certificate of the authority is its own. */
  readonly onDevice: (socket: Socket, certificate: DeviceCertificate) => void;
  readonly counted: CountedLog;
}

export interface DeviceListener {
  readonly port: number;
  close(): Promise<void>;
}

/** Certificate that the peer of a connection has shown; null: none of a device. */
function certificateOf(socket: TLSSocket): DeviceCertificate | null {
  const raw: Buffer | undefined = socket.getPeerCertificate()?.raw;
  return raw === undefined ? null : readDeviceCertificate(raw.toString("base64"));
}

/**
 * Listens for devices over TLS, with a certificate of the fleet's authority on both sides.
 * @throws UsageError when the port is taken.
 */
export async function listenForDevices(options: DeviceListenerOptions): Promise<DeviceListener> {
  const { host, port, authority, handshakeMs, onConnection, onDevice, counted } = options;
  const ca = certificateToPem(authority.certificate);
  const own = async () => ({ ...(await authority.issueBroker(certificateMs)), ca });
  const accepted = new WeakSet<Socket>();
  const settings = { requestCert: true, rejectUnauthorized: true, handshakeTimeout: handshakeMs };
  const server = createServer({ ...(await own()), ...settings, minVersion: "TLSv1.2" }, (socket) => {
    if (!accepted.has(socket)) return void socket.destroy();
    const certificate = certificateOf(socket);
    if (certificate !== null) return onDevice(socket, certificate);
    counted.note("a TLS client's certificate is not that of a device", { address: socket.remoteAddress });
    socket.destroy();
  });
  // Called before the handshake, with the socket that is handed on after it.
  server.on("connection", (socket: Socket) => {
    if (onConnection(socket)) accepted.add(socket);
  });
  server.on("tlsClientError", (error) =>
    counted.note("a TLS connection to the broker failed", { err: describeError(error) }),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "is in use" : "can't be opened";
      reject(new UsageError(`the embedded broker's TLS port ${port} on ${host} ${why}`, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
  let renewedMs = Date.now();
  const renewing = setInterval(async () => {
    if (Math.abs(Date.now() - renewedMs) < renewAfterMs) return;
    renewedMs = Date.now();
    try {
      server.setSecureContext(await own());
    } catch (error) {
      counted.note("the broker's certificate could not be renewed", { err: describeError(error) });
    }
  }, lookEachMs).unref();
  return {
    port: (server.address() as { port: number }).port,
    close() {
      clearInterval(renewing);
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
