import { type Static, Type } from "@sinclair/typebox";
import type { PeriodKind } from "#platform/calendar/calendar-period.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { decodeText } from "#protocol/codec.ts";

const Amount = Type.Number({ minimum: 0 });
const Amounts = strictObject({ requests: Amount, texts: Amount, tokens: Amount });
export type QuotaAmounts = Static<typeof Amounts>;
export type QuotaKind = keyof QuotaAmounts;

const PeriodUse = strictObject({ name: Type.String({ maxLength: 10 }), used: Amounts });
const Stored = Type.Object({
  v: Type.Literal(1),
  tenants: Type.Record(Type.String(), Type.Partial(strictObject({ day: PeriodUse, month: PeriodUse }))),
});

interface Use {
  readonly name: string;
  readonly used: QuotaAmounts;
  /** Amounts on disk: they count as used after a crash, so that none gives a tenant more than its quota. */
  readonly stored: QuotaAmounts;
}

const nothing = (): QuotaAmounts => ({ requests: 0, texts: 0, tokens: 0 });

/** Text that is kept over restarts. */
interface StoredText {
  load(): string | null;
  save(text: string): void;
}

/** Use of quotas at this agent in the present day and month, by tenant, kept over restarts. */
export class QuotaUse {
  readonly #text: StoredText;
  readonly #tenants = new Map<string, Partial<Record<PeriodKind, Use>>>();

  constructor(text: StoredText) {
    this.#text = text;
    const decoded = decodeText(Stored, text.load() ?? "");
    if (!decoded.ok) return;
    for (const [tenant, periods] of Object.entries(decoded.message.tenants)) {
      const uses: Partial<Record<PeriodKind, Use>> = {};
      for (const [kind, use] of Object.entries(periods) as [PeriodKind, Static<typeof PeriodUse>][])
        uses[kind] = { name: use.name, used: { ...use.used }, stored: { ...use.used } };
      this.#tenants.set(tenant, uses);
    }
  }

  #use(tenant: string, kind: PeriodKind, name: string): Use {
    let uses = this.#tenants.get(tenant);
    if (uses === undefined) {
      uses = {};
      this.#tenants.set(tenant, uses);
    }
    const held = uses[kind];
    // A clock that was set back does not begin a period again.
    if (held !== undefined && held.name >= name) return held;
    const begun: Use = { name, used: nothing(), stored: nothing() };
    uses[kind] = begun;
    return begun;
  }

  /** Amounts that a tenant has used in a period. */
  used(tenant: string, kind: PeriodKind, name: string): Readonly<QuotaAmounts> {
    return this.#use(tenant, kind, name).used;
  }

  /**
   * Adds to a tenant's use; negative amounts take it back.
   * @param ahead amount that is written to disk beforehand, so that not every request is written
   */
  add(tenant: string, kind: PeriodKind, name: string, of: QuotaKind, amount: number, ahead: number): void {
    const { used, stored } = this.#use(tenant, kind, name);
    used[of] = Math.max(0, used[of] + amount);
    if (used[of] <= stored[of]) return;
    stored[of] = used[of] + ahead;
    this.#write();
  }

  /** Forgets the use of tenants that are none of these. */
  keepOnly(isKnown: (tenant: string) => boolean): void {
    const unknown = [...this.#tenants.keys()].filter((tenant) => !isKnown(tenant));
    if (unknown.length === 0) return;
    for (const tenant of unknown) this.#tenants.delete(tenant);
    this.#write();
  }

  /** Puts down what was really used, before this process ends. */
  flush(): void {
    if (this.#tenants.size === 0) return;
    for (const uses of this.#tenants.values())
      for (const { used, stored } of Object.values(uses)) Object.assign(stored, used);
    this.#write();
  }

  #write(): void {
    const tenants = [...this.#tenants].map(([tenant, uses]) => [
      tenant,
      Object.fromEntries(Object.entries(uses).map(([kind, { name, stored }]) => [kind, { name, used: stored }])),
    ]);
    this.#text.save(JSON.stringify({ v: 1, tenants: Object.fromEntries(tenants) }));
  }
}
