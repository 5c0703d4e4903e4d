-- Since when (in the source's time) the rules have gone by a machine's codes as they are now: what is on record
-- from then on was told by them, and is theirs.
create table state_seams (
    equipment text primary key,
    codes text not null,  -- digest of the map
    since timestamptz not null
);

-- Times of which a machine's states were derived anew from raw samples: who, and what it changed, with the
-- reasons of stops that are no stops any more.
create table state_histories (
    id bigint generated always as identity primary key,
    equipment text not null,
    at timestamptz not null,
    by text not null,
    since timestamptz not null,
    until timestamptz not null,
    report jsonb not null
);
create index state_histories_of on state_histories (equipment, id);
