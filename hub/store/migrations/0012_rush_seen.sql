-- Who of those who were told of a rush order has looked at it, and when first.

create table rush_seen (
    rush bigint not null references rushes,
    event text not null check (event in ('made', 'undone', 'refused')),
    person text not null,
    at timestamptz not null,
    primary key (rush, event, person)
);
