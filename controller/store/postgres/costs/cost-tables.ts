/** Cost lines by hour and by day, of agents and, under an empty agent_id, of all together; as in SQLite's migration. */
export const postgresCostTables = `
  CREATE TABLE cost_device (
    span_ms int8 NOT NULL,
    start_ms int8 NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    region text COLLATE "C" NOT NULL,
    energy_micro int8 NOT NULL,
    energy_pico int8 NOT NULL,
    owning_micro int8 NOT NULL,
    owning_pico int8 NOT NULL,
    energy_kwh float8 NOT NULL,
    observed_ms float8 NOT NULL,
    measured_ms float8 NOT NULL,
    compute_ms float8 NOT NULL,
    first_minutes int8 NOT NULL,
    last_minutes int8 NOT NULL,
    price_key text NOT NULL,
    gaps text NOT NULL,
    gap_minutes int8 NOT NULL,
    PRIMARY KEY (span_ms, start_ms, agent_id, region)
  );
  CREATE TABLE cost_work (
    span_ms int8 NOT NULL,
    start_ms int8 NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    region text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    used_micro int8 NOT NULL,
    used_pico int8 NOT NULL,
    offers_micro int8 NOT NULL,
    offers_pico int8 NOT NULL,
    active_kwh float8 NOT NULL,
    compute_ms float8 NOT NULL,
    requests int8 NOT NULL,
    tokens int8 NOT NULL,
    only_agent text COLLATE "C" NOT NULL,
    PRIMARY KEY (span_ms, start_ms, agent_id, region, tenant, model)
  );
  CREATE TABLE cost_gap (
    start_ms int8 NOT NULL,
    gaps text COLLATE "C" NOT NULL,
    minutes int8 NOT NULL,
    PRIMARY KEY (start_ms, gaps)
  );
  CREATE TABLE cost_unrated (
    start_ms int8 NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (start_ms, agent_id)
  );
  CREATE TABLE cost_stale (span_ms int8 NOT NULL, start_ms int8 NOT NULL, PRIMARY KEY (span_ms, start_ms));
  CREATE TABLE cost_rolled (start_ms int8 PRIMARY KEY, is_whole int8 NOT NULL);
  CREATE TABLE cost_agent (
    agent_id text COLLATE "C" NOT NULL,
    from_ms int8 NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (agent_id, from_ms)
  );
  CREATE TABLE cost_backfill (id int8 PRIMARY KEY CHECK (id = 1), before_ms int8 NOT NULL);`;
