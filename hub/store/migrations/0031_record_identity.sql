-- Which database this is: numbers of tags that were given out by one mean nothing in another. A backup leaves it
-- out, so a restored one is another one.
create table record_identity (
    one boolean primary key default true check (one),
    id uuid not null default gen_random_uuid()
);
insert into record_identity default values;
