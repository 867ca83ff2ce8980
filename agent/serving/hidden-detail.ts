/** Text in place of a detail that only requests with a configured key see. */
export const hiddenDetail = "shown to requests with a configured API key";
