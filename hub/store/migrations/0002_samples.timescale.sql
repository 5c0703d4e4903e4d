-- Raw samples in a hypertable; the chunk interval follows the measured rate (hub.store.upkeep).
create table samples (
    ts timestamptz not null,
    tag integer not null,
    value double precision not null,  -- NaN: the source gave none
    status bigint not null  -- OPC UA status code
);
select create_hypertable('samples', by_range('ts', interval '1 day'), create_default_indexes => false);
create index samples_by_tag on samples (tag, ts);
create index samples_by_time on samples using brin (ts) with (pages_per_range = 32, autosummarize = on);
