-- Operations that reports or postings name and no order has: kept until the order comes, and told to people.
create table unbound_jobs (
    work_order text not null,
    operation text not null,  -- '': the posting names none
    since timestamptz not null default now(),
    primary key (work_order, operation)
);
insert into unbound_jobs (work_order, operation)
select distinct r.work_order, r.operation from job_responses r
where not exists (
    select from job_orders j where j.work_order = r.work_order and j.operation = r.operation)
union
select distinct p.work_order, p.operation from postings p
where not exists (select from work_orders o where o.number = p.work_order)
   or p.operation <> '' and not exists (
    select from job_orders j where j.work_order = p.work_order and j.operation = p.operation)
on conflict do nothing;
