type X509 = typeof import("@peculiar/x509");

let loading: Promise<X509> | undefined;

/** Loads the library that writes certificates, on first use: most runs of the program need none. */
export function loadX509(): Promise<X509> {
  loading ??= (async () => {
    // Its decorators need this first.
    await import("reflect-metadata");
    const x509 = await import("@peculiar/x509");
    x509.cryptoProvider.set(crypto);
    return x509;
  })();
  return loading;
}
