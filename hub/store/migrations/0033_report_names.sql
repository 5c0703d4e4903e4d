-- Ids of reports and postings are unique within the source that tells them. `id` stays the name that the house
-- and the ERP know each by: the source's own wherever that was free. What is on record keeps its name, so that
-- nothing is booked twice; of what source it was is not known: ''.
alter table job_responses add column source text not null default '';
alter table job_responses add column told_as text not null default '';  -- the source's own id; '': it is `id`
create unique index job_responses_told on job_responses
    (source, (case when told_as = '' then id else told_as end));

alter table postings add column source text not null default '';
alter table postings add column told_as text not null default '';
create unique index postings_told on postings
    (kind, source, (case when told_as = '' then id else told_as end));
