-- The urgent first, across lanes. A writer of the previous release says nothing: then it is medium.

alter table outbox add column priority smallint not null default 2 check (priority between 1 and 4);
create index outbox_urgent on outbox (priority desc, id) where state in ('waiting', 'claimed');
