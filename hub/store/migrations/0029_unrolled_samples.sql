-- Samples that came after the raw samples of their time had been let go, where roll-ups cannot take them
-- (continuous aggregates), by the hour they are about. `told`: as many stand on the audit trail.
create table unrolled_samples (
    hour timestamptz primary key,
    rows bigint not null,
    told bigint not null default 0
);
