export const joulesPerKwh = 3_600_000;
