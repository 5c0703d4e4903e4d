-- The same names and columns as elsewhere, as continuous aggregates; hub.store.upkeep refreshes them.
create materialized view samples_1m with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket('1 minute', ts) as bucket, tag, count(*) as n, sum(value) as sum, min(value) as min,
        max(value) as max
    from samples where status < 2147483648 and value <> 'NaN' group by 1, 2
    with no data;

create materialized view samples_1h with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket('1 hour', bucket) as bucket, tag, sum(n)::bigint as n, sum(sum) as sum, min(min) as min,
        max(max) as max
    from samples_1m group by 1, 2
    with no data;

create materialized view samples_1d with (timescaledb.continuous, timescaledb.materialized_only = false) as
    select time_bucket('1 day', bucket) as bucket, tag, sum(n)::bigint as n, sum(sum) as sum, min(min) as min,
        max(max) as max
    from samples_1h group by 1, 2
    with no data;

alter table samples set
    (timescaledb.compress, timescaledb.compress_segmentby = 'tag', timescaledb.compress_orderby = 'ts');
