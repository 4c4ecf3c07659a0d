/* templates/<language>.conf, built into the program by embed_templates.cmake. */
#ifndef SECKILL_NOTIFICATION_SHIPPED_TEMPLATES_H
#define SECKILL_NOTIFICATION_SHIPPED_TEMPLATES_H

struct shipped_templates {
    const char *language; /* NULL ends the list */
    const char *text;
};

extern const struct shipped_templates shipped_templates[];

#endif
