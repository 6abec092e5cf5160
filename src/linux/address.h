/* Numeric addresses, as text and as what the kernel takes. */
#ifndef EPOLL_ECHO_LINUX_ADDRESS_H
#define EPOLL_ECHO_LINUX_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT_SIZE = 80 }; /* [IPv6 address%interface]:port and its NUL */

/* Reads an IPv4 or IPv6 address as inet_pton(3) does, an IPv6 one with %interface if need be.
 * False: it is none. */
bool address_parse(const char *text, uint16_t port, struct sockaddr_storage *address,
		   socklen_t *length);

/* ADDRESS:PORT, with an IPv6 address in brackets; an IPv4 address that is mapped into IPv6 is
 * written as what it is. Writes "?" for any other family. */
void address_format(const struct sockaddr_storage *address, char text[ADDRESS_TEXT_SIZE]);

/* Port of an IPv4 or IPv6 address; 0 for any other family. */
uint16_t address_port(const struct sockaddr_storage *address);

#endif
