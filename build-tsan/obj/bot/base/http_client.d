build-tsan/obj/bot/base/http_client.o: bot/base/http_client.c \
 bot/base/http_client.h bot/base/error.h
bot/base/http_client.h:
bot/base/error.h:
