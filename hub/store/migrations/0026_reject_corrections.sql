-- The event that a person made of a record that was not taken; the record itself stays as it came.
alter table mes_rejects add column correction text not null default '';
