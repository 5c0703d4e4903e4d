-- The tables of a home-made ERP. Its people have added u_fault to repair.
create table machine (no text primary key, name text not null, place text not null, in_use int not null);
create table item (no text primary key, name text not null, unit text not null, family text not null);
create table prod_order (
  no text primary key, item_no text not null references item, quantity int not null, due timestamp not null,
  priority int not null, rush int not null, sale_no text not null, customer text not null, status text not null,
  changed timestamp not null
);
create table prod_operation (
  order_no text references prod_order, op_no int, name text not null, line text not null, planned int not null,
  good int not null, bad int not null, primary key (order_no, op_no)
);
create table sales_line (
  no text, line int, customer text not null, item_no text not null, quantity numeric(12, 3) not null,
  due timestamp not null, changed timestamp not null, seller text not null, primary key (no, line)
);
create table stock (
  item_no text references item, lot text, warehouse text, quantity numeric(12, 3) not null check (quantity >= 0),
  primary key (item_no, lot, warehouse)
);
create table repair (
  id bigint generated always as identity primary key,
  no text generated always as ('RE' || lpad(id::text, 5, '0')) stored,
  ext_no text not null unique, machine_no text references machine, title varchar(200) not null, level text,
  order_no text references prod_order, status text not null default 'NEW', opened timestamp, stopped timestamp,
  worker text, cause text, result text, minutes numeric(9, 1), u_fault text
);
create table repair_step (repair_id bigint references repair, state text, at timestamp, words text not null,
                          primary key (repair_id, state, at));
create table op_report (
  id bigint generated always as identity primary key, ext_no text not null unique, order_no text not null,
  op_no int not null, good int not null, bad int not null, worker text, at timestamp,
  foreign key (order_no, op_no) references prod_operation
);
create table posting (
  id bigint generated always as identity primary key, ext_no text not null, kind text not null,
  order_no text references prod_order, op_no int, item_no text references item, quantity numeric(12, 3), lot text,
  warehouse text, reason text, check_name text, passed boolean, value text, hours numeric(9, 3),
  machine_hours numeric(9, 3), worker text, at timestamp, unique (kind, ext_no)
);
comment on column repair.title is '标题';
