/** Whose requests are those without a key, or with one that is no tenant's. Records that name no tenants are all of this one. */
export const defaultTenant = "default";
