import { ServiceError } from "#platform/errors.ts";

/** Refusal of requests that only the leading controller may answer. */
export class NotLeadingError extends ServiceError {
  constructor(leader: { readonly about: string; readonly apiUrl?: string | undefined } | null = null) {
    const url = leader?.apiUrl || null;
    super(
      "NOT_LEADING",
      url === null
        ? "another controller leads this fleet: this one is on standby and changes nothing"
        : `another controller leads this fleet: changes are made at ${url}`,
      { retryAfterS: 5, details: { leader: url } },
    );
  }
}
