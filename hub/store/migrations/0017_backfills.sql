-- What came late, by the hour it is about: a figure read before `last_at` did not know it.
create table backfills (
    hour timestamptz primary key,
    rows bigint not null,
    first_at timestamptz not null,
    last_at timestamptz not null
);
