-- Tags whose raw samples are kept for a shorter time than the longest. Below `since` nothing of the tag is
-- rolled up any more; below `gone` its samples have been deleted.
create table tag_horizons (
    tag integer primary key,
    since timestamptz not null,
    gone timestamptz not null default '2000-01-01 00:00:00+00'
);
