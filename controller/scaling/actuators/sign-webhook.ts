/**
 * The signature header of a webhook's body: `t=<seconds>,v1=<HMAC-SHA256 of "t.body" in hex>`. The time is signed too, so that whoever receives
 * it can refuse what is old.
 */
export function signWebhook(body: string, secret: string, atMs: number): string {
  const seconds = Math.floor(atMs / 1000);
  const digest = new Bun.CryptoHasher("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${digest}`;
}
