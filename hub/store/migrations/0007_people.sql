-- Passwords that are good for one login, and wall screens that can be listed and sent away.
alter table passwords add column once_until timestamptz;
alter table devices add column id bigint generated always as identity;
alter table devices add column seen_at timestamptz;
create unique index devices_by_id on devices (id);
