/* The broker's addresses as all settings together give them: broker.url, with broker.user and the password in
 * broker.password_file where these are set, and with the certificates for amqps. */
#ifndef SECKILL_PIPELINE_BROKER_LOGIN_H
#define SECKILL_PIPELINE_BROKER_LOGIN_H

#include "common/broker/address.h"
#include "common/pipeline/settings.h"

/* E_INVALID, E_NOT_FOUND, E_IO with a detail that begins with the key and never shows a password. Free them
 * with broker_addresses_free. */
int broker_login_addresses(const struct settings *s, struct broker_addresses *out,
                           struct detail *why) MUST_USE;

#endif
