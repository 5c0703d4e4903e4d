-- Each level: a table below the watermark, and a view of the same name as elsewhere that adds what is above it.
-- Only usable values count: a status that is not bad (below 0x80000000) and a number that is one.
create table samples_1m_data (
    bucket timestamptz not null,
    tag integer not null,
    n bigint not null,
    sum double precision not null,
    min double precision not null,
    max double precision not null,
    primary key (tag, bucket)
);
create index samples_1m_by_time on samples_1m_data using brin (bucket) with (pages_per_range = 32, autosummarize = on);
create view samples_1m as
    select bucket, tag, n, sum, min, max from samples_1m_data
    where bucket < (select rolled from rollup_state where level = '1m')
    union all
    select date_bin('1 minute', ts, '2000-01-01 00:00:00+00'), tag, count(*), sum(value), min(value), max(value)
    from samples
    where ts >= (select rolled from rollup_state where level = '1m') and status < 2147483648 and value <> 'NaN'
    group by 1, 2;

create table samples_1h_data (like samples_1m_data including all);
create view samples_1h as
    select bucket, tag, n, sum, min, max from samples_1h_data
    where bucket < (select rolled from rollup_state where level = '1h')
    union all
    select date_bin('1 hour', bucket, '2000-01-01 00:00:00+00'), tag, sum(n)::bigint, sum(sum), min(min), max(max)
    from samples_1m
    where bucket >= (select rolled from rollup_state where level = '1h')
    group by 1, 2;

create table samples_1d_data (like samples_1m_data including all);
create view samples_1d as
    select bucket, tag, n, sum, min, max from samples_1d_data
    where bucket < (select rolled from rollup_state where level = '1d')
    union all
    select date_bin('1 day', bucket, '2000-01-01 00:00:00+00'), tag, sum(n)::bigint, sum(sum), min(min), max(max)
    from samples_1h
    where bucket >= (select rolled from rollup_state where level = '1d')
    group by 1, 2;
