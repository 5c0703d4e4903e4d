-- What an MES has told, by the id of each event; and what of it could not be taken, for people to decide.

create table mes_events (
    source text not null,
    kind text not null,
    id text not null,
    digest text not null,  -- of what it said: the same id with other words is not a repeat
    at timestamptz not null,
    primary key (source, kind, id)
);
create index mes_events_at on mes_events (at);

create table mes_rejects (
    id bigint generated always as identity primary key,
    source text not null,
    digest text not null,  -- of the record as it came
    kind text not null,
    event text not null,
    record text not null,
    reason_zh text not null,
    reason_en text not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    times integer not null,
    state text not null check (state in ('waiting', 'replayed', 'aside')),
    decided_by text not null,
    decided_at timestamptz,
    note text not null,
    unique (source, digest)
);
create index mes_rejects_state on mes_rejects (state, id);
