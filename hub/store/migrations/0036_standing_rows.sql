-- The newest row of each tag of which nothing newer was left when its raw samples were let go: a source that is
-- read anew tells it again, and it has been counted.
create table standing_rows (
    tag integer primary key,
    ts timestamptz not null,
    value double precision not null,
    status bigint not null
);
