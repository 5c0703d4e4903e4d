-- One tap that makes an order a rush order: who, when, what it was before, what was foreseen, and its undoing.
-- What the tap says of the order holds over what ERP and MES say, until the ERP refuses it or, having taken it
-- over (`seen_at`), says otherwise (`settled_at`).

create table rushes (
    id bigint generated always as identity primary key,
    work_order text not null references work_orders,
    by text not null,
    at timestamptz not null,
    until timestamptz not null,  -- it can be undone before
    reason text not null,
    tap text not null,  -- of the phone
    before_priority integer not null,
    before_rush boolean not null,
    before_due_at timestamptz not null,
    priority integer not null,
    rush boolean not null,
    due_at timestamptz not null,
    foreseen jsonb not null,
    audience jsonb not null,
    told_erp boolean not null,
    undone_at timestamptz,
    undone_by text not null default '',
    refusal_told_at timestamptz,
    seen_at timestamptz,
    settled_at timestamptz
);
create index rushes_of on rushes (work_order, id);
create index rushes_by_time on rushes (at);
create index rushes_open on rushes (work_order) where settled_at is null;
