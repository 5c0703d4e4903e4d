-- What happened and what is to be done. Enumerations are text with a CHECK: the words of hub.model.

create table tags (
    number integer generated always as identity primary key,  -- given out once, never reused
    path text not null unique
);

create table stream_positions (
    stream text primary key,
    position text not null
);

-- ---------------------------------------------------------------- alarms (ISA-18.2)
create table alarms (
    id bigint generated always as identity primary key,
    rule text not null,
    subject text not null,
    equipment text not null,
    priority smallint not null check (priority between 1 and 4),
    title_zh text not null,
    title_en text not null,
    state text not null check (state in
        ('normal', 'unacked', 'acked', 'rtn-unacked', 'shelved', 'suppressed', 'out-of-service')),
    condition boolean not null,
    blind boolean not null,
    value double precision,
    limit_value double precision,
    unit text not null,
    raised_at timestamptz,
    cleared_at timestamptz,
    condition_at timestamptz,
    acked_at timestamptz,
    acked_by text not null,
    note text not null,
    count integer not null,
    shelved_until timestamptz,
    rule_version text not null,
    opened_at timestamptz,
    latched boolean not null,
    owner text not null
);
create unique index one_open_alarm on alarms (rule, subject) where state <> 'normal';
create index alarms_of_subject on alarms (rule, subject, id);

create table alarm_lines (
    id bigint generated always as identity primary key,
    alarm_id bigint not null references alarms,
    at timestamptz not null,
    event text not null,
    before text not null,
    after text not null,
    by text not null,
    note text not null,
    source_time timestamptz,
    value double precision
);
create index alarm_lines_of on alarm_lines (alarm_id, id);

-- ---------------------------------------------------------------- tickets
create table tickets (
    id text primary key,
    alarm_id bigint not null references alarms,
    equipment text not null,
    state text not null check (state in
        ('new', 'sent', 'accepted', 'on-site', 'repairing', 'verifying', 'closed', 'wait-parts',
         'false-alarm', 'reopened')),
    opened_at timestamptz not null,
    stopped_at timestamptz not null,
    erp_id text not null,
    erp_number text not null,
    technician text not null,
    accepted_at timestamptz,
    arrived_at timestamptz,
    repaired_at timestamptz,
    reset_at timestamptz,
    good_cycles integer not null,
    cycles_needed integer not null,
    closed_at timestamptz,
    cause_class text not null,
    cause text not null,
    photo text not null,
    downtime_seconds double precision
);
create unique index one_open_ticket on tickets (equipment) where state not in ('closed', 'false-alarm');
create index tickets_by_opening on tickets (opened_at);

create table ticket_days (
    day date primary key,
    last integer not null
);

create table ticket_lines (
    id bigint generated always as identity primary key,
    ticket_id text not null references tickets,
    at timestamptz not null,
    before text not null,
    after text not null,
    by text not null,
    channel text not null,
    device_time timestamptz,
    note text not null
);
create index ticket_lines_of on ticket_lines (ticket_id, id);

create table photos (
    id text primary key,
    content_type text not null,
    data bytea not null,
    at timestamptz not null default now()
);

-- ---------------------------------------------------------------- production
-- A row is a change of state; a state lasts until the next row. So a machine is in exactly one state at any
-- instant, whatever comes late, twice or out of order.
create table equipment_states (
    equipment text not null,
    since timestamptz not null,
    state text not null check (state in
        ('executing', 'setup', 'idle', 'starved', 'blocked', 'held', 'fault', 'maintenance', 'off', 'unknown')),
    primary key (equipment, since)
);

create table counts (
    equipment text not null,
    good boolean not null,
    at timestamptz not null,
    delta bigint not null,
    reading bigint not null,
    primary key (equipment, good, at)
);
create index counts_by_time on counts (at);

create table work_orders (
    number text primary key,
    product text not null,
    product_zh text not null,
    product_en text not null,
    quantity integer not null,
    due_at timestamptz not null,
    priority integer not null,
    rush boolean not null,
    sales_order text not null,
    customer text not null,
    erp_id text not null,
    erp_entry_id text not null
);

create table job_orders (
    work_order text not null references work_orders,
    operation text not null,
    place integer not null,  -- in the order of work
    name_zh text not null,
    name_en text not null,
    work_center text not null,
    quantity integer not null,
    primary key (work_order, operation)
);

create table job_responses (
    id text primary key,  -- the MES's own
    work_order text not null,
    operation text not null,
    at timestamptz not null,
    good integer not null,
    scrap integer not null,
    state text not null check (state in ('waiting', 'running', 'inspection', 'done')),
    equipment text not null,
    person text not null,
    labour_seconds double precision not null
);
create index job_responses_of on job_responses (work_order, operation, at);

-- ---------------------------------------------------------------- what is to be done in the world
create table outbox (
    id bigint generated always as identity primary key,
    key text not null unique,
    kind text not null check (kind in
        ('tell', 'open-ticket', 'update-ticket', 'close-ticket', 'report-operation')),
    lane text not null,
    payload jsonb not null,
    written_at timestamptz not null,
    due_at timestamptz,  -- null: at once
    state text not null default 'waiting' check (state in ('waiting', 'claimed', 'done', 'dead')),
    attempts integer not null default 0,
    fence bigint not null default 0,
    in_doubt boolean not null default false,
    worker text not null default '',
    leased_until timestamptz,
    reason text not null default '',
    receipt jsonb,
    finished_at timestamptz
);
create index outbox_unfinished on outbox (kind, id) where state in ('waiting', 'claimed');
create index outbox_lanes on outbox (lane, id) where state in ('waiting', 'claimed');
create index outbox_dead on outbox (id) where state = 'dead';
create index outbox_done on outbox (finished_at) where state = 'done';

create table marks (
    name text primary key,
    value text not null
);

-- ---------------------------------------------------------------- people
create table passwords (
    person_id text primary key,
    hashed text not null
);

create table sessions (
    token_hash text primary key,
    person_id text not null,
    made_at timestamptz not null,
    seen_at timestamptz not null
);
create index sessions_of on sessions (person_id);

create table devices (
    token_hash text primary key,
    name text not null,
    scope text not null,
    made_at timestamptz not null
);

create table login_failures (
    id bigint generated always as identity primary key,
    key text not null,
    at timestamptz not null
);
create index login_failures_of on login_failures (key, at);

create table audit (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    who text not null,
    what text not null,
    about text not null,
    detail jsonb not null
);
create index audit_by_time on audit (at);
