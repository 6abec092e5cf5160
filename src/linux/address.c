#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool parse_ipv6(const char *text, struct sockaddr_in6 *address)
{
	char host[INET6_ADDRSTRLEN];
	const char *scope = strchr(text, '%');
	size_t length = scope != NULL ? (size_t)(scope - text) : strlen(text);

	if (length >= sizeof(host))
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	if (inet_pton(AF_INET6, host, &address->sin6_addr) != 1)
		return false;
	if (scope == NULL)
		return true;
	address->sin6_scope_id = if_nametoindex(scope + 1);
	return address->sin6_scope_id != 0;
}

bool address_parse(const char *text, uint16_t port, struct sockaddr_storage *address,
		   socklen_t *length)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*length = sizeof(*v4);
		return true;
	}
	if (!parse_ipv6(text, v6))
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	*length = sizeof(*v6);
	return true;
}

uint16_t address_port(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)address)->sin_port);
	if (address->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return 0;
}

void address_format(const struct sockaddr_storage *address, char text[ADDRESS_TEXT_SIZE])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	char host[INET6_ADDRSTRLEN] = "?", scope[IF_NAMESIZE + 1] = "";
	unsigned port = address_port(address);

	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(text, ADDRESS_TEXT_SIZE, "%s:%u", host, port);
	} else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host, sizeof(host));
		snprintf(text, ADDRESS_TEXT_SIZE, "%s:%u", host, port);
	} else if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		if (v6->sin6_scope_id != 0 && if_indextoname(v6->sin6_scope_id, scope + 1) != NULL)
			scope[0] = '%';
		snprintf(text, ADDRESS_TEXT_SIZE, "[%s%s]:%u", host, scope, port);
	} else {
		snprintf(text, ADDRESS_TEXT_SIZE, "?");
	}
}
