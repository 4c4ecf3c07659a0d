#!/usr/bin/python3
"""Another AMQP client: what any producer in any language may do with a stack's broker.

  amqp_client.py URL publish EXCHANGE KEY        the body is standard input; waits for the confirm, mandatory
  amqp_client.py URL take QUEUE COUNT SECONDS    takes so many messages off the queue and acknowledges them; prints
                                                 one JSON object for each: body, headers, routing_key
  amqp_client.py URL take-lines QUEUE LINES SECONDS   the same, until the bodies have so many lines
  amqp_client.py URL touch QUEUE COUNT SECONDS   takes so many messages and gives them back: they are redelivered ones
  amqp_client.py URL hold QUEUE                  consumes one message and acknowledges nothing, until SIGTERM; prints
                                                 "holding" when the broker knows of it
  amqp_client.py URL make-queue QUEUE EXCHANGE KEY    durable, bound
  amqp_client.py URL delete-queue QUEUE
  amqp_client.py URL ask KEY METHOD              standard input is an array of questions for seckill.rpc; prints each
                                                 one's answer on a line
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


def take(channel, queue, count, seconds, size=lambda body: 1, what="messages"):
    deadline = time.monotonic() + float(seconds)
    taken = 0
    while taken < int(count):
        method, properties, body = channel.basic_get(queue)
        if method is None:
            if time.monotonic() > deadline:
                sys.exit(f"{queue} has {taken} {what}, not {count}")
            time.sleep(0.02)
            continue
        print(json.dumps({
            "body": body.decode("utf-8", "backslashreplace"),
            "headers": {k: v if isinstance(v, (str, int)) else repr(v) for k, v in (properties.headers or {}).items()},
            "routing_key": method.routing_key,
        }))
        channel.basic_ack(method.delivery_tag)
        taken += size(body)


def take_lines(channel, queue, lines, seconds):
    take(channel, queue, lines, seconds, lambda body: sum(1 for line in body.splitlines() if line), "lines")


def touch(channel, queue, count, seconds):
    deadline = time.monotonic() + float(seconds)
    taken = 0
    while taken < int(count):
        method, _, _ = channel.basic_get(queue)
        if method is not None:
            taken += 1
        elif time.monotonic() > deadline:
            sys.exit(f"{queue} has {taken} messages, not {count}")
        else:
            time.sleep(0.02)
    channel.basic_nack(0, multiple=True, requeue=True)


def hold(channel, queue):
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(queue, lambda *delivery: None)
    print("holding", flush=True)
    channel.start_consuming()


def make_queue(channel, queue, exchange, key):
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, exchange, key)


def ask(channel, key, method):
    questions = json.load(sys.stdin)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "seckill.reply", queue)
    channel.confirm_delivery()
    for number, question in enumerate(questions):
        properties = pika.BasicProperties(
            reply_to=queue, correlation_id=str(number), headers={"seckill-method": method}
        )
        channel.basic_publish("seckill.rpc", key, json.dumps(question), properties, mandatory=True)
    answers = {}
    deadline = time.monotonic() + 20
    while len(answers) < len(questions):
        _, properties, body = channel.basic_get(queue, auto_ack=True)
        if properties is not None:
            answers[properties.correlation_id] = body.decode()
        elif time.monotonic() > deadline:
            sys.exit(f"{key} has answered {len(answers)} of {len(questions)} questions")
        else:
            time.sleep(0.01)
    for number in range(len(questions)):
        print(answers[str(number)])


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
    "take-lines": take_lines,
    "touch": touch,
    "hold": hold,
    "make-queue": make_queue,
    "delete-queue": delete_queue,
    "ask": ask,
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
