-- `sealed`: samples older than this are marked dirty when they are written. `rolled`: the level is complete
-- below this. `sealed` is raised first, so no writer falls between the two.
create table rollup_state (
    level text primary key check (level in ('1m', '1h', '1d')),
    sealed timestamptz not null default '2000-01-01 00:00:00+00',
    rolled timestamptz not null default '2000-01-01 00:00:00+00'
);
insert into rollup_state (level) values ('1m'), ('1h'), ('1d');

create table rollup_dirty (
    id bigint generated always as identity primary key,
    first timestamptz not null,
    last timestamptz not null
);

-- Below this, the source has been let go: a window there is never rolled again, or its history would be lost.
create table horizons (
    source text primary key check (source in ('raw', '1m')),
    since timestamptz not null
);
