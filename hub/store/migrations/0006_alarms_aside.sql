-- Who put an alarm aside, when and why; and whether the design logic suppresses it, which is known in every
-- state: an alarm that leaves the shelf while its machine is off must not sound in between.

alter table alarms
    add column aside_by text not null default '',
    add column aside_at timestamptz,
    add column aside_reason text not null default '',
    add column suppressed_zh text,
    add column suppressed_en text;
