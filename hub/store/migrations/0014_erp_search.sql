-- Messages with the ERP, found by the ERP's own number and by the order that a report or a posting belongs to.

create index erp_exchanges_by_number on erp_exchanges (erp_number, id) where erp_number <> '';
create index erp_exchanges_by_order on erp_exchanges ((after->>'order'), id);
