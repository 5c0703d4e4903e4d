-- What people said of the time that machines stood. A change replaces rows, it never rewrites them: who said
-- what, and who put what in its place when, stays.

create table stop_parts (
    id bigint generated always as identity primary key,
    equipment text not null,
    since timestamptz not null,
    until timestamptz not null,
    reason text not null,  -- '': cut off, and not explained
    note text not null,
    by text not null,
    at timestamptz not null,
    opens boolean not null,  -- begins where the stop does, wherever late data puts that
    closes boolean not null,
    replaced_at timestamptz,
    replaced_by text not null default '',
    check (since < until),
    -- What holds never overlaps. A range of one hash compares machines without an extension of the server.
    constraint stop_parts_apart exclude using gist (
        int8range(hashtextextended(equipment, 0) / 2, hashtextextended(equipment, 0) / 2, '[]') with &&,
        tstzrange(since, until) with &&
    ) where (replaced_at is null)
);
create index stop_parts_of on stop_parts (equipment, until);

-- Stops whose person was told once that they need a reason.
create table stop_asked (
    equipment text not null,
    since timestamptz not null,
    until timestamptz not null,
    at timestamptz not null,
    primary key (equipment, since)
);
