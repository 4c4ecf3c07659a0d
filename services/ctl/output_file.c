/* See output_file.h. */
#include "services/ctl/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/file.h"

#define SUFFIX ".XXXXXX"

int output_file_open(struct output_file *o, const char *path, struct detail *why)
{
    *o = (struct output_file){.path = path, .file = stdout};
    if (!path)
        return 0;
    size_t len = strlen(path);
    o->temporary = xmalloc(len + sizeof(SUFFIX));
    memcpy(o->temporary, path, len);
    memcpy(o->temporary + len, SUFFIX, sizeof(SUFFIX));
    int fd = mkostemp(o->temporary, O_CLOEXEC);
    o->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (o->file)
        return 0;
    detail_set(why, "%s: %s", path, strerror(errno));
    if (fd >= 0) {
        unlink(o->temporary);
        close(fd);
    }
    free(o->temporary);
    *o = (struct output_file){.file = NULL};
    return E_IO;
}

int output_file_keep(struct output_file *o, struct detail *why)
{
    if (!o->path) {
        if (fflush(stdout) == 0 && !ferror(stdout))
            return 0;
        detail_set(why, "the output could not be written");
        return E_IO;
    }
    if (fflush(o->file) != 0 || ferror(o->file) || fsync(fileno(o->file)) != 0 ||
        rename(o->temporary, o->path) != 0 || dir_sync_parent(o->path) != 0) {
        detail_set(why, "%s: %s", o->path, strerror(errno));
        return E_IO;
    }
    free(o->temporary);
    o->temporary = NULL;
    return 0;
}

void output_file_discard(struct output_file *o)
{
    if (o->temporary)
        unlink(o->temporary);
    free(o->temporary);
    if (o->path && o->file)
        fclose(o->file);
    *o = (struct output_file){.file = NULL};
}
