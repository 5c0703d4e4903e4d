-- How many rows each minute that was not rolled yet has, counted by every writer in the transaction of its
-- rows: whoever has seen as many in its own memory has seen them all, and need not read them again.
create table minute_rows (
    bucket timestamptz primary key,
    rows bigint not null
) with (fillfactor = 50);
-- A writer of the release before does not count. Where one may have been at work, its next day is read again.
create table minute_rows_since (since timestamptz not null);
insert into minute_rows_since
select case when exists (select from stream_origins) then now() + interval '1 day' else '-infinity' end;
