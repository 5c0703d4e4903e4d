"""The models and their fields, one a line: `name: type[ relation | selection][!]`; `!` is required."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_MODELS = """
res.company: name char!
res.users: name char!, login char!, lang char, tz char
res.users.apikeys: name char!, expiration_date datetime, user_id many2one res.users
res.partner: name char!
uom.uom: name char!
product.category: name char!
product.template: name char!
product.product: name char!, default_code char, barcode char, type selection consu|service|combo,
  is_storable boolean, tracking selection none|lot|serial, uom_id many2one uom.uom, categ_id many2one
  product.category, active boolean, product_tmpl_id many2one product.template
stock.warehouse: name char!, code char!, lot_stock_id many2one stock.location
stock.location: name char!, complete_name char, barcode char, usage selection
  supplier|view|internal|customer|inventory|production|transit
stock.lot: name char!, product_id many2one product.product!, ref char, company_id many2one res.company
stock.quant: product_id many2one product.product!, location_id many2one stock.location!, lot_id many2one
  stock.lot, quantity float
stock.move: product_id many2one product.product!, product_uom many2one uom.uom, product_uom_qty float,
  quantity float, raw_material_production_id many2one mrp.production, production_id many2one
  mrp.production, location_id many2one stock.location, location_dest_id many2one stock.location, picked
  boolean, manual_consumption boolean, state selection
  draft|waiting|confirmed|partially_available|assigned|done|cancel
stock.move.line: move_id many2one stock.move, product_id many2one product.product!, product_uom_id
  many2one uom.uom, quantity float, picked boolean, lot_id many2one stock.lot, location_id many2one
  stock.location!, location_dest_id many2one stock.location!, state char, consume_line_ids many2many
  stock.move.line, produce_line_ids many2many stock.move.line
stock.picking: name char, origin char, priority selection 0|1, scheduled_date datetime, state char
stock.scrap: name char, product_id many2one product.product!, product_uom_id many2one uom.uom!,
  scrap_qty float!, lot_id many2one stock.lot, production_id many2one mrp.production, location_id
  many2one stock.location!, scrap_location_id many2one stock.location, origin char, state selection
  draft|done
mrp.bom: product_id many2one product.product
mrp.workcenter: name char!, code char, working_state selection normal|blocked|done, oee float,
  oee_target float, performance integer, blocked_time float, productive_time float
mrp.workcenter.productivity.loss: name char!, loss_type selection
  availability|performance|quality|productive, sequence integer
mrp.workcenter.productivity: workcenter_id many2one mrp.workcenter!, workorder_id many2one
  mrp.workorder, loss_id many2one mrp.workcenter.productivity.loss!, description text, date_start
  datetime!, date_end datetime, duration float, user_id many2one res.users
mrp.production: name char, state selection draft|confirmed|progress|to_close|done|cancel, product_id
  many2one product.product!, product_qty float!, product_uom_id many2one uom.uom, qty_producing float,
  qty_produced float, priority selection 0|1, origin char, date_start datetime, date_finished datetime,
  date_deadline datetime, bom_id many2one mrp.bom, lot_producing_ids many2many stock.lot, workorder_ids
  one2many mrp.workorder, move_raw_ids one2many stock.move, move_finished_ids one2many stock.move,
  reservation_state char, components_availability char, production_group_id integer, sale_line_id
  many2one sale.order.line, consumption selection flexible|warning|strict, location_src_id many2one
  stock.location, location_dest_id many2one stock.location, production_location_id many2one
  stock.location
mrp.workorder: name char!, production_id many2one mrp.production!, workcenter_id many2one
  mrp.workcenter!, operation_id integer, sequence integer, state selection
  blocked|ready|progress|done|cancel, qty_production float, qty_produced float, qty_remaining float,
  qty_ready float, duration_expected float, duration float, date_start datetime, date_finished datetime,
  barcode char, is_user_working boolean, blocked_by_workorder_ids many2many mrp.workorder
sale.order: name char, partner_id many2one res.partner!, client_order_ref char, state selection
  draft|sent|sale|cancel, commitment_date datetime, expected_date datetime, date_order datetime!,
  user_id many2one res.users, delivery_status selection pending|started|partial|full, order_line
  one2many sale.order.line, tag_ids many2many crm.tag
crm.tag: name char!
sale.order.line: order_id many2one sale.order!, product_id many2one product.product, product_uom_qty
  float, display_type char
maintenance.team: name char!
maintenance.stage: name char!, sequence integer, done boolean, fold boolean
maintenance.equipment: name char!, serial_no char, active boolean, location_id many2one stock.location,
  workcenter_id many2one mrp.workcenter, maintenance_team_id many2one maintenance.team, mtbf integer,
  mttr integer
maintenance.request: name char!, equipment_id many2one maintenance.equipment, maintenance_type selection
  corrective|preventive, priority selection 0|1|2|3, stage_id many2one maintenance.stage, kanban_state
  selection normal|blocked|done, schedule_date datetime, request_date date, close_date date, duration
  float, maintenance_team_id many2one maintenance.team!, user_id many2one res.users, description html,
  archive boolean, done boolean
mail.message: model char, res_id integer, body html, date datetime, message_type char, author_id
  many2one res.partner
ir.attachment: name char!, res_model char, res_id integer, datas binary
"""
_OLD = {  # before 19, as the contract recalls them
    ("mrp.production", "lot_producing_ids"): ("lot_producing_id", "many2one", "stock.lot", ()),
    ("mrp.production", "production_group_id"): ("procurement_group_id", "integer", "", ()),
}
_OLD_STATES = ("pending", "waiting", "ready", "progress", "done", "cancel")
_COMMON = {"create_date": "datetime", "write_date": "datetime", "display_name": "char"}
HIDDEN = frozenset({"ir.model.data"})  # there, but not for a normal user


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    relation: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False

    def described(self) -> dict[str, Any]:
        out: dict[str, Any] = {"type": self.kind, "string": self.name, "required": self.required}
        if self.relation:
            out["relation"] = self.relation
        if self.choices:
            out["selection"] = [[c, c.title()] for c in self.choices]
        return out


Schema = dict[str, dict[str, Field]]


def schema(release: int) -> Schema:
    out: Schema = {}
    for line in _MODELS.replace("\n  ", " ").strip().splitlines():
        model, _, listed = line.partition(": ")
        fields = {"id": Field("id", "integer")} | {n: Field(n, k) for n, k in _COMMON.items()}
        for user in ("create_uid", "write_uid"):
            fields[user] = Field(user, "many2one", "res.users")
        for text in listed.split(", "):
            field = _parsed(text.strip(" ,"))
            fields[field.name] = field
        out[model] = fields
    return out if release >= 19 else _older(out)


def _parsed(text: str) -> Field:
    name, kind, *more = text.rstrip("!").split(" ")
    relation = more[0] if more and kind.endswith(("2one", "2many")) else ""
    choices = tuple(more[0].split("|")) if more and kind == "selection" else ()
    return Field(name, kind, relation, choices, text.endswith("!"))


def _older(found: Schema) -> Schema:
    for (model, name), (old, kind, relation, choices) in _OLD.items():
        del found[model][name]
        found[model][old] = Field(old, kind, relation, choices)
    states = found["mrp.workorder"]["state"]
    found["mrp.workorder"]["state"] = Field(states.name, states.kind, "", _OLD_STATES)
    found["maintenance.equipment"]["location"] = Field("location", "char")
    return found
