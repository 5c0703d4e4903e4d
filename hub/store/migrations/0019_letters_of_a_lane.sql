-- What cannot go before a letter of its lane is settled, and that letter: the steps of a ticket whose opening
-- was refused, and taking back a change that was refused. They are not tried, and go in their turn once the
-- letter has gone.

create view outbox_held as
select o.id, opening.id as held_by
from outbox opening join outbox o on o.lane = opening.lane and o.id > opening.id
where opening.state = 'dead' and o.state in ('waiting', 'claimed', 'dead')
  and (opening.kind = 'open-ticket' and o.kind in ('update-ticket', 'close-ticket')
       or opening.kind = 'change-order' and o.key = opening.key || ':undo');

create index outbox_dead_lanes on outbox (lane, id) where state = 'dead';
