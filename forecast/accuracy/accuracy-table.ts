/** The table that live accuracy is kept in; a step of a schema, never to be edited. */
export const forecastMadeTable = `CREATE TABLE forecast_made (
     start_ms INTEGER PRIMARY KEY,   -- of the first step that was forecast
     made_at_ms INTEGER NOT NULL,
     model TEXT NOT NULL,
     step_ms INTEGER NOT NULL,
     level_qps REAL NOT NULL,
     qps TEXT,                       -- JSON, a number a step; NULL once it was compared with what came
     upper_peak_qps REAL,
     absolute_error REAL,
     signed_error REAL,
     actual REAL,
     peak_forecast_qps REAL,
     peak_actual_qps REAL,
     covered INTEGER,
     rise TEXT,                      -- NULL until it was compared
     onset_ms INTEGER
   ) STRICT;
   CREATE INDEX forecast_made_pending ON forecast_made (start_ms) WHERE qps IS NOT NULL;`;
