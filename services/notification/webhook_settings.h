/* What the webhook sink is told by the settings, checked. */
#ifndef SECKILL_NOTIFICATION_WEBHOOK_SETTINGS_H
#define SECKILL_NOTIFICATION_WEBHOOK_SETTINGS_H

#include "common/base/buffer.h"
#include "common/pipeline/settings.h"

/* Is this an http or https address with a host, and without a user, a password (there is a file for the
 * token) or a fragment? And do the certificates, where a file is named, look like some? E_INVALID. */
int webhook_settings_check(const struct settings *settings, struct detail *why) MUST_USE;

/* Appends "Authorization: Bearer <token>"; nothing where no file is named. E_INVALID; the detail never has
 * the token. file_wipe() it. */
int webhook_read_token(const struct settings *settings, struct buffer *out, struct detail *why) MUST_USE;

#endif
