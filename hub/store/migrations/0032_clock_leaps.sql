-- What was recorded of a time that a clock set back made the future, by the moment it was set to.
create table states_aside (
    aside_at timestamptz not null,
    equipment text not null,
    since timestamptz not null,
    state text not null,
    primary key (aside_at, equipment, since)
);
create table counts_aside (
    aside_at timestamptz not null,
    equipment text not null,
    good boolean not null,
    at timestamptz not null,
    delta bigint not null,
    reading bigint not null,
    primary key (aside_at, equipment, good, at)
);
