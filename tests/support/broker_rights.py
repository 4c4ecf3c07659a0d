#!/usr/bin/python3
"""What each service's user at the broker may do, and what not: tried, against a broker that setup.sh has prepared.

  broker_rights.py CREDENTIALS [HOST] [VHOST]    CREDENTIALS: the folder with NAME.password. Needs to read it.

Each line of the tables is one attempt on a connection of its own, since a refusal ends the channel. Exit status 1 and the
attempts that went otherwise.
"""
import sys

import pika

BODY = b"{}"


def publish(channel, exchange, key):
    channel.confirm_delivery()
    channel.basic_publish(exchange, key, BODY)


def consume(channel, queue):
    # As a question, not as a theft: nothing is delivered to a consumer that is cancelled at once.
    channel.basic_qos(prefetch_count=1)
    channel.basic_cancel(channel.basic_consume(queue, lambda *_: None, auto_ack=False))


def own_queue(channel, exchange, key):
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, exchange, key)
    channel.basic_get(queue, auto_ack=True)


def declare(channel, queue):
    channel.queue_declare(queue, durable=True)


def hold(channel, queue):
    channel.queue_declare(queue, exclusive=True, auto_delete=True)


def purge(channel, queue):
    channel.queue_purge(queue)


def delete(channel, queue):
    channel.queue_delete(queue)


def bind(channel, queue, exchange, key):
    channel.queue_bind(queue, exchange, key)


# What the services do themselves all day (orders, events, questions …) is proved by the sale; here is what that leaves out.
MAY = {
    "order": [(own_queue, "seckill.reply", "x"), (own_queue, "seckill.stock", "")],
    "inventory": [(publish, "seckill.stock", ""), (publish, "seckill.reply", "nobody")],
    "redpacket": [(publish, "seckill.reply", "nobody")],
    "notification": [(publish, "seckill.reply", "nobody")],
    "ctl": [(consume, "seckill.dead"), (own_queue, "seckill.reply", "x"), (own_queue, "seckill.stock", "")],
}

ORDERS, EVENTS, DEAD = "seckill.orders.0", "seckill.events", "seckill.dead"
EVERYBODY_MUST_NOT = [
    (declare, "seckill.other"),
    (hold, "other.active"),
    (delete, ORDERS),
    (delete, DEAD),
    (bind, ORDERS, EVENTS, "#"),
    (publish, "", ORDERS),  # the default exchange reaches every queue
    (publish, "amq.topic", "x"),
    (own_queue, "seckill.orders", "0"),
    (own_queue, EVENTS, "#"),
]
MUST_NOT = {
    "order": [
        (consume, ORDERS),
        (purge, ORDERS),
        (publish, EVENTS, "order.confirmed"),
        (publish, EVENTS, "redpacket.granted"),
        (publish, "seckill.reply", "x"),
        (publish, "seckill.retry", "5s.notification"),
        (publish, DEAD, ""),
        (consume, DEAD),
        (consume, "seckill.notification"),
        (consume, "seckill.redpacket"),
        (consume, "seckill.rpc.inventory.0"),
        (own_queue, DEAD, ""),
        (own_queue, "seckill.rpc", "inventory.0"),
        (hold, "seckill.orders.0.active"),
    ],
    "inventory": [
        (publish, "seckill.orders", "0"),
        (publish, EVENTS, "redpacket.granted"),
        (publish, "seckill.rpc", "redpacket"),
        (publish, "seckill.retry", "5s.notification"),
        (consume, "seckill.notification"),
        (consume, "seckill.redpacket"),
        (consume, DEAD),
        (own_queue, "seckill.reply", "x"),
    ],
    "redpacket": [
        (consume, ORDERS),
        (purge, ORDERS),
        (publish, "seckill.orders", "0"),
        (publish, EVENTS, "order.confirmed"),
        (consume, "seckill.notification"),
        (hold, "seckill.orders.0.active"),
    ],
    "notification": [
        (consume, ORDERS),
        (purge, ORDERS),
        (publish, "seckill.orders", "0"),
        (publish, EVENTS, "order.confirmed"),
        (publish, EVENTS, "redpacket.granted"),
        (publish, "seckill.retry", "redpacket"),
        (consume, "seckill.redpacket"),
    ],
    "ctl": [
        (consume, ORDERS),
        (purge, ORDERS),
        (publish, EVENTS, "order.confirmed"),
        (publish, "seckill.stock", ""),
        (publish, "seckill.reply", "x"),
        (publish, "seckill.retry", "5s.notification"),
        (consume, "seckill.rpc.inventory.0"),
        (own_queue, "seckill.rpc", "inventory.0"),
    ],
}


def is_allowed(parameters, attempt):
    verb, *arguments = attempt
    connection = pika.BlockingConnection(parameters)
    try:
        verb(connection.channel(), *arguments)
        return True
    except pika.exceptions.ChannelClosedByBroker as refusal:
        # 404: it looked, so it may. 405: the queue is another's, exclusively.
        return refusal.reply_code not in (403, 405)
    except pika.exceptions.UnroutableError:
        return True
    finally:
        if connection.is_open:
            connection.close()


def main(folder, host="127.0.0.1", vhost="seckill"):
    wrong = tried = 0
    for service in MAY:
        with open(f"{folder}/{service}.password", encoding="ascii") as file:
            login = pika.PlainCredentials(f"seckill-{service}", file.read().strip())
        parameters = pika.ConnectionParameters(host, virtual_host=vhost, credentials=login)
        wanted = [(attempt, True) for attempt in MAY[service]]
        wanted += [(attempt, False) for attempt in EVERYBODY_MUST_NOT + MUST_NOT[service]]
        for attempt, expected in wanted:
            tried += 1
            if is_allowed(parameters, attempt) != expected:
                wrong += 1
                verb, *arguments = attempt
                print(f"seckill-{service} {'may not' if expected else 'may'} {verb.__name__} {' '.join(arguments)}")
        try:
            parameters = pika.ConnectionParameters(host, virtual_host="/", credentials=login)
            pika.BlockingConnection(parameters).close()
            wrong += 1
            print(f"seckill-{service} may use the virtual host /")
        except pika.exceptions.AMQPError:
            pass
    print(f"{tried} attempts, {wrong} of them not as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
