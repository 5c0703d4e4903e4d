-- Records of the ERP that no map could read: while they are open, nobody takes them for records that are not there.
create table erp_left_out (
    id bigint generated always as identity primary key,
    source text not null,  -- the reading that passed them over: orders, items, stock ...
    document text not null,  -- the map's name
    record text not null,  -- as a clerk finds it
    reason text not null,
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    ended_at timestamptz,
    told_at timestamptz,  -- when its owner heard of it last
    over_told_at timestamptz  -- ... and that it is over
);
create unique index one_open_left_out on erp_left_out (source, document, record) where ended_at is null;
create index erp_left_out_ended on erp_left_out (ended_at) where ended_at is not null;

-- What went to the ERP last, of each kind of message.
create index erp_exchanges_sent on erp_exchanges (subject, id) where direction = 'out' and after is not null;
