/**
 * Text of a tenant's name in a record as JSON. Names hold nothing that JSON would escape, and inside of another text the quotes would be escaped: so it
 * is found nowhere else.
 */
export const tenantInJson = (tenant: string): string => `"tenant":"${tenant}"`;
