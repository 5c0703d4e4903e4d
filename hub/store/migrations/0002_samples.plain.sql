-- Raw samples in range partitions that hub.store.upkeep makes ahead; strays go to the default partition.
create table samples (
    ts timestamptz not null,
    tag integer not null,
    value double precision not null,  -- NaN: the source gave none
    status bigint not null  -- OPC UA status code
) partition by range (ts);
create index samples_by_tag on samples (tag, ts);
create index samples_by_time on samples using brin (ts) with (pages_per_range = 32, autosummarize = on);
create table samples_strays partition of samples default;
