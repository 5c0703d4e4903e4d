-- Field maps of the ERP connector, edited in the console. What the configuration file says is version 0.

create table mappings (
    kind text not null,  -- of the connector
    number integer not null check (number > 0),
    documents jsonb not null,
    by text not null,
    at timestamptz not null,
    note text not null,
    state text not null default 'saved' check (state in ('saved', 'active', 'retired')),
    activated_at timestamptz,
    activated_by text not null default '',
    primary key (kind, number)
);
create unique index one_active_mapping on mappings (kind) where state = 'active';
