-- Where our books, the MES's and the ERP's disagree: each with its history, and the comparisons that found it.

create table discrepancies (
    id bigint generated always as identity primary key,
    key text not null,  -- kind, subject and part
    kind text not null,
    subject text not null,
    part text not null,
    ours text not null,
    theirs text not null,
    gap text not null,
    divergence_id text,  -- the first entry of ours at which the books part
    divergence_at timestamptz,
    repair text not null,
    equipment text not null,
    owner text not null,  -- a role or a person
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    ended_at timestamptz,
    told_at timestamptz,
    repair_state text not null default '' check (repair_state in ('', 'asked', 'done', 'failed', 'in-vain')),
    repaired_by text not null default '',
    repaired_at timestamptz,
    repair_result text not null default '',
    aside_by text not null default '',
    aside_at timestamptz,
    aside_reason text not null default ''
);
create unique index one_open_discrepancy on discrepancies (key) where ended_at is null;
create index discrepancies_asked on discrepancies (id) where repair_state = 'asked';
create index discrepancies_ended on discrepancies (ended_at) where ended_at is not null;

create table comparisons (
    id bigint generated always as identity primary key,
    began_at timestamptz not null,
    ended_at timestamptz not null,
    asked_by text not null,
    compared jsonb not null,
    not_compared jsonb not null,
    found integer not null,
    trouble text not null
);
