-- What each machine ran when: samples of process parameters are bound to it as they are stored.

create table process_parameters (
    tag integer primary key references tags (number),
    equipment text not null,
    active boolean not null  -- no longer marked: what was bound stays
);
create index process_parameters_of on process_parameters (equipment);

-- A span lasts until the machine's next one. work_order '': nothing is known to run.
create table job_spans (
    id bigint generated always as identity primary key,
    equipment text not null,
    since timestamptz not null,
    work_order text not null,
    operation text not null,
    items text[] not null,  -- material that went in, and of each the lot, place by place
    lots text[] not null,
    unique (equipment, since)
);
create index job_spans_of on job_spans (work_order);
create index job_spans_lots on job_spans using gin (lots);

create index job_responses_by_time on job_responses (at);
