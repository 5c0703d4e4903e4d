-- What passes between us and the ERP: order states, postings, a ledger of messages, changes for the floor.

-- An order that we know only from the MES is taken for released, as it was before.
alter table work_orders add column state text not null default 'released'
    check (state in ('released', 'held', 'completed', 'cancelled'));
alter table work_orders add column ended_at timestamptz;  -- when it became completed or cancelled

alter table outbox drop constraint outbox_kind_check;
alter table outbox add constraint outbox_kind_check check (kind in
    ('tell', 'open-ticket', 'update-ticket', 'close-ticket', 'report-operation', 'post', 'change-order',
     'erp-news'));

-- Facts of the shop floor that the ERP books once.
create table postings (
    kind text not null check (kind in ('receipt', 'issue', 'quality', 'hours', 'scrap')),
    id text not null,  -- the MES's own; unique within the kind
    work_order text not null,
    operation text not null,
    at timestamptz not null,
    item text not null,
    quantity double precision not null,
    unit text not null,
    lot text not null,
    warehouse text not null,
    reason text not null,
    name text not null,  -- of the check, for quality
    passed boolean,
    value text not null,
    sample_size integer not null,
    labour_seconds double precision not null,
    machine_seconds double precision not null,
    equipment text not null,
    person text not null,
    primary key (kind, id)
);
create index postings_of on postings (work_order, at);
create index postings_by_time on postings (at);

-- Every message to and from the ERP, as it was before and after.
create table erp_exchanges (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    direction text not null check (direction in ('out', 'in')),
    subject text not null,  -- what it was about: open-ticket, post receipt, order ...
    document text not null,  -- our key of the document
    erp_number text not null,
    outcome text not null check (outcome in ('done', 'adopted', 'skipped', 'deferred', 'refused', 'taken')),
    seconds double precision not null,
    before jsonb,
    after jsonb,
    reason text not null,
    errand bigint  -- the outbox's id, when it was one
);
create index erp_exchanges_of on erp_exchanges (document, id);
create index erp_exchanges_by_time on erp_exchanges (at);

-- What the office has changed about an order that the floor works on: somebody there has to say "seen".
create table order_changes (
    id bigint generated always as identity primary key,
    work_order text not null references work_orders,
    changed jsonb not null,  -- field -> [before, after]
    at timestamptz not null,
    confirmed_at timestamptz,
    confirmed_by text not null default '',
    escalated_at timestamptz
);
create unique index order_changes_open on order_changes (work_order) where confirmed_at is null;
