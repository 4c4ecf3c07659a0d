#!/usr/bin/python3
"""Another AMQP client: what any producer in any language may do with a stack's broker.

  amqp_client.py URL publish EXCHANGE KEY        the body is standard input; waits for the confirm, mandatory
  amqp_client.py URL take QUEUE COUNT SECONDS    takes so many messages off the queue and acknowledges them; prints
                                                 one JSON object for each: body, headers, routing_key
  amqp_client.py URL delete-queue QUEUE
  amqp_client.py URL delete-exchange EXCHANGE
  amqp_client.py URL bind|unbind QUEUE EXCHANGE KEY

Exit status: 0, or 1 with the reason (a return, a refusal, too few messages).
"""
import json
import sys
import time

import pika


def publish(channel, exchange, key):
    channel.confirm_delivery()
    channel.basic_publish(
        exchange, key, sys.stdin.buffer.read(), pika.BasicProperties(delivery_mode=2), mandatory=True
    )


def take(channel, queue, count, seconds):
    deadline = time.monotonic() + float(seconds)
    taken = 0
    while taken < int(count):
        method, properties, body = channel.basic_get(queue)
        if method is None:
            if time.monotonic() > deadline:
                sys.exit(f"{queue} has {taken} messages, not {count}")
            time.sleep(0.02)
            continue
        print(json.dumps({
            "body": body.decode("utf-8", "backslashreplace"),
            "headers": {k: v if isinstance(v, (str, int)) else repr(v) for k, v in (properties.headers or {}).items()},
            "routing_key": method.routing_key,
        }))
        channel.basic_ack(method.delivery_tag)
        taken += 1


def delete_queue(channel, queue):
    channel.queue_delete(queue)


def delete_exchange(channel, exchange):
    channel.exchange_delete(exchange)


def bind(channel, queue, exchange, key):
    channel.queue_bind(queue, exchange, key)


def unbind(channel, queue, exchange, key):
    channel.queue_unbind(queue, exchange, key)


VERBS = {
    "publish": publish,
    "take": take,
    "delete-queue": delete_queue,
    "delete-exchange": delete_exchange,
    "bind": bind,
    "unbind": unbind,
}


def main(url, verb, *arguments):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        VERBS[verb](connection.channel(), *arguments)
    except (pika.exceptions.AMQPError, pika.exceptions.UnroutableError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    finally:
        if connection.is_open:
            connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
