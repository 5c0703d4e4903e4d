-- What the ERP keeps beside orders and tickets: sales orders, items, machines, stock by day; and links by which
-- a customer's order may be looked at without a login.

create table sales_orders (
    number text not null,
    line text not null,
    customer text not null,
    product text not null,
    quantity double precision not null,
    due_at timestamptz not null,
    priority integer not null,
    rush boolean not null,
    open boolean not null,
    seller text not null,  -- as the ERP names them
    erp_id text not null,
    primary key (number, line)
);
create index work_orders_of_sale on work_orders (sales_order) where sales_order <> '';
create index work_orders_by_due on work_orders (due_at);

create table items (
    number text primary key,
    name_zh text not null,
    name_en text not null,
    unit text not null,
    family text not null,
    erp_id text not null
);

create table erp_equipment (
    number text primary key,
    name_zh text not null,
    name_en text not null,
    place text not null,
    active boolean not null,
    erp_id text not null
);

-- What the ERP said was in stock, once a day, of items that move.
create table stock_days (
    item text not null,
    day date not null,
    quantity double precision not null,
    primary key (item, day)
);

-- Of a token only its SHA-256 is here. A link shows what its maker may see, and no longer than they may.
create table order_links (
    id bigint generated always as identity primary key,
    token_hash text not null unique,
    sales_order text not null,  -- "" for a production order that has none
    work_order text not null,  -- the one it was made from
    made_by text not null,
    made_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_by text not null default '',
    seen_at timestamptz  -- opened last
);
create index order_links_of on order_links (sales_order, work_order);
