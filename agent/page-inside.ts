/** Path of the page inside the executable, for which scripts/build-pages.ts replaces this file; null when run from source. */
export const pageInside: string | null = null;
