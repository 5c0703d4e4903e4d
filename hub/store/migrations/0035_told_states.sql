-- Whether the MES said something of the operation's state with a report; a count alone says nothing of it.
alter table job_responses add column stated boolean not null default true;

-- The report whose pieces this one takes back.
alter table job_responses add column corrects text not null default '';

-- When the MES last changed an order by its own word: what was changed before does not come back over it.
alter table work_orders add column changed_at timestamptz;
