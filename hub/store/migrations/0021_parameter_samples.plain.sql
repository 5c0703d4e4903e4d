-- Samples of process parameters with what they are bound to. Beside the raw samples, which are let go sooner.
create table parameter_samples (
    ts timestamptz not null,
    tag integer not null,
    value double precision not null,  -- NaN: the source gave none
    status bigint not null,
    span bigint not null  -- of job_spans; 0: before anything was known of the machine
);
create index parameter_samples_by_tag on parameter_samples (tag, ts);
create index parameter_samples_by_time on parameter_samples using brin (ts) with (pages_per_range = 32, autosummarize = on);
