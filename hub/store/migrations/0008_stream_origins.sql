-- The last batch of each sender that is on record: a batch that comes twice is told from a new one by it.
create table stream_origins (
    stream text not null,
    origin text not null,  -- one life of one sender
    number bigint not null,
    at timestamptz not null,
    primary key (stream, origin)
);
