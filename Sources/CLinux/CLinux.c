#define _GNU_SOURCE

#include "CLinux.h"
#include <elf.h>
#include <link.h>
#include <string.h>

struct build_id {
    void *buffer;
    size_t capacity, length;
};

static int find_build_id(struct dl_phdr_info *program, size_t size, void *result) {
    struct build_id *found = result;
    (void)size;
    for (int i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &program->dlpi_phdr[i];
        if (header->p_type != PT_NOTE) continue;
        const char *next = (const char *)program->dlpi_addr + header->p_vaddr, *end = next + header->p_memsz;
        while (end - next >= (long)sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *note = (const void *)next;
            const char *name = next + sizeof *note;
            const char *description = name + ((note->n_namesz + 3) & ~3u);
            next = description + ((note->n_descsz + 3) & ~3u);
            if (next > end) break;
            if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 || memcmp(name, "GNU", 4) != 0) continue;
            found->length = note->n_descsz < found->capacity ? note->n_descsz : found->capacity;
            memcpy(found->buffer, description, found->length);
            return 1;
        }
    }
    // The first object is the program itself; libraries have names of their own.
    return 1;
}

size_t masu_build_id(void *buffer, size_t capacity) {
    struct build_id found = {buffer, capacity, 0};
    dl_iterate_phdr(find_build_id, &found);
    return found.length;
}
