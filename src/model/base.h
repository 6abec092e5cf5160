/*
 * What the files of the model share: the mem functions, which no freestanding header declares, an
 * assertion that needs no library, and intrusive lists, which need no memory of their own.
 */
#ifndef MODEL_BASE_H
#define MODEL_BASE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *destination, const void *source, size_t size);
void *memset(void *destination, int byte, size_t size);

/* Holds our own code, and the caller's side of the bargain in model.h, to account. */
#define ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())

/* A ring of links, of which one is the list itself. A link that is in no list points to itself. */
struct link {
	struct link *next, *prev;
};

/* The structure of which a link is a part. */
#define OWNER(link, type, member) ((type *)(void *)((uint8_t *)(link)-offsetof(type, member)))

static inline void link_init(struct link *link)
{
	link->next = link->prev = link;
}

/* Of a list: is there anything in it? Of a link: is it in a list? */
static inline bool linked(const struct link *link)
{
	return link->next != link;
}

static inline void link_after(struct link *link, struct link *place)
{
	link->prev = place;
	link->next = place->next;
	place->next->prev = link;
	place->next = link;
}

static inline void push_front(struct link *list, struct link *link)
{
	link_after(link, list);
}

static inline void push_back(struct link *list, struct link *link)
{
	link_after(link, list->prev);
}

static inline void unlink_it(struct link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link_init(link);
}

/* Moves all that is in one list to the front of another, in its order. */
static inline void splice_front(struct link *list, struct link *from)
{
	if (!linked(from))
		return;
	from->prev->next = list->next;
	list->next->prev = from->prev;
	from->next->prev = list;
	list->next = from->next;
	link_init(from);
}

#endif
