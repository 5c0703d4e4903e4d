-- Pieces that were worked on once more: a count of their own, neither good nor scrap.
alter table job_responses add column rework integer not null default 0;
