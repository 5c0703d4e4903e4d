-- What a collector's full spool had to let go before it met us: between `first` and `last` (source times)
-- up to `samples` samples of these tags are missing. A gap that is told twice keeps its id.
create table sample_gaps (
    id uuid primary key,
    source text not null,
    first timestamptz not null,
    last timestamptz not null,
    samples bigint not null,
    tags integer[] not null,
    told_at timestamptz not null default now()
);
create index sample_gaps_by_time on sample_gaps (last);
